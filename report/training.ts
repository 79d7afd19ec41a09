// Training: loss curves and speed, arm by arm.
import { type Html, html } from './html.ts';
import { curvePlot, legend } from './plots.ts';
import type { Arm, RunContents } from './run-folder.ts';
import { fixed } from './wording.ts';

const names: Record<string, string> = {
	d: 'Discriminator loss',
	g: 'Generator loss',
	r1: 'R1 penalty',
	path: 'Path-length penalty',
};

export async function training(run: RunContents): Promise<Html> {
	const arms = run.arms.filter((arm) => arm.metrics.length > 0);
	if (arms.length === 0) return html`<p>There are no training metrics in this run.</p>`;
	const losses = [...new Set(arms.flatMap((arm) => arm.metrics.flatMap((line) => Object.keys(line.losses))))];
	const plots = [
		...losses.map((loss) =>
			curves(arms, names[loss] ?? `Loss “${loss}”`, (line) => line.losses[loss] ?? null),
		),
		curves(arms, 'Images per second', (line) => line.imagesPerSecond),
	];
	return html`<figure>${legend(arms)}<div class="plots">${await Promise.all(plots)}</div>
	<figcaption>Over real images seen. Losses of adversarial training do not measure quality: they show whether the two
	networks stay in balance. Long curves are thinned to means over equal stretches.</figcaption></figure>`;
}

async function curves(
	arms: readonly Arm[],
	title: string,
	value: (line: Arm['metrics'][number]) => number | null,
): Promise<Html | null> {
	const found = arms.flatMap((series) => {
		const points = series.metrics.flatMap((line) => {
			const y = value(line);
			return y !== null && Number.isFinite(y) ? [{ x: line.images, y }] : [];
		});
		return points.length > 0 ? [{ series, points }] : [];
	});
	if (found.length === 0) return null;
	const ends = found.map(({ series, points }) => `${series.label} ends at ${fixed(points.at(-1)?.y, 3)}`);
	return curvePlot({ title, axis: 'real images seen', curves: found, alt: `${title}: ${ends.join(', ')}.` });
}
