// The pictures: samples of the arms side by side, their progress, and reconstructions beside truth and measurement.
import { bySetting, type Comparison } from './comparison.ts';
import { type Html, html } from './html.ts';
import { runFiles } from './inputs.ts';
import type { Pictures } from './pictures.ts';
import type { Arm, RunContents } from './run-folder.ts';
import { fixed, grouped, plural, problemName, solverName } from './wording.ts';

/** Most pictures in an arm's row of progress. */
const MOST_STEPS = 6;

export async function samples(run: RunContents, pictures: Pictures): Promise<Html> {
	const shown = run.arms.filter((arm) => arm.samples.length > 0);
	if (shown.length === 0) return html`<p>There are no samples in this run.</p>`;
	const last = await Promise.all(
		shown.map(async (arm) => {
			const { step, file } = arm.samples.at(-1) as Arm['samples'][number];
			const image = await pictures.image(file, `Grid of images drawn by ${arm.label} after ${step} steps`);
			return html`<figure>${image ?? unreadable(file)}<figcaption>${name(arm)} after
			${stepName(arm, step)}.</figcaption></figure>`;
		}),
	);
	return html`<div class="pair${shown.length === 2 && ' two'}">${last}</div>
	<p class="note">The same latents for every arm and every step.</p>
	${await Promise.all(shown.map((arm) => progress(arm, pictures)))}`;
}

async function progress(arm: Arm, pictures: Pictures): Promise<Html | null> {
	if (arm.samples.length < 2) return null;
	const chosen = spread(arm.samples, MOST_STEPS);
	const figures = await Promise.all(
		chosen.map(async ({ step, file }) => {
			const image = await pictures.image(file, `${arm.label} after ${step} steps`);
			return html`<figure>${image ?? unreadable(file)}<figcaption>${stepName(arm, step)}</figcaption></figure>`;
		}),
	);
	return html`<h3>${name(arm)} over training</h3><div class="steps">${figures}</div>`;
}

/** The first, the last, and between them steps that grow by about one factor: early training changes fastest. */
function spread<T extends { step: number }>(samples: readonly T[], most: number): T[] {
	const first = samples[0] as T;
	const last = samples.at(-1) as T;
	if (samples.length <= most) return [...samples];
	const start = Math.max(1, first.step || (samples[1]?.step ?? 1));
	const chosen = new Set<T>([first, last]);
	for (let i = 1; i < most - 1; i++) {
		const wanted = start * (last.step / start) ** (i / (most - 1));
		const left = samples.filter((sample) => !chosen.has(sample));
		chosen.add(left.reduce((a, b) => (Math.abs(b.step - wanted) < Math.abs(a.step - wanted) ? b : a)));
	}
	return [...chosen].sort((a, b) => a.step - b.step);
}

export async function reconstructions(
	run: RunContents,
	comparison: Comparison,
	pictures: Pictures,
): Promise<Html> {
	if (run.pictures.size === 0) return html`<p>There are no pictures of reconstructions in this run.</p>`;
	const problems = new Map(
		comparison.cells.map((cell) => [runFiles.measurement(cell.problem, cell.level), cell] as const),
	);
	const figures: Html[] = [];
	for (const { problem, level } of problems.values()) {
		const what = problemName({ problem, level });
		const strips = [
			await strip(run, pictures, runFiles.truth, html`Truth`, 'The test images'),
			await strip(
				run,
				pictures,
				runFiles.measurement(problem, level),
				html`Measurement`,
				`What is measured of the test images: ${what}`,
			),
		];
		const here = comparison.cells.filter((cell) => cell.problem === problem && cell.level === level);
		for (const group of bySetting(here)) {
			strips.push(html`<div class="rule"></div>`);
			for (const cell of group) {
				const psnr = cell.psnr && html` ${fixed(cell.psnr.mean, 2)} dB`;
				const label = html`<strong>${solverName(cell.solver)}</strong><small>${name(cell.of)}${psnr}</small>`;
				const file = runFiles.reconstruction(cell.arm, cell.solver, problem, level);
				const alt = `Reconstructions by ${solverName(cell.solver)} with ${cell.of.label}: ${what}`;
				strips.push(await strip(run, pictures, file, label, alt));
			}
		}
		figures.push(html`<figure><h3>${what}</h3><div class="strips">${strips}</div></figure>`);
	}
	return html`<p>Every row shows the same test images in the same order; beside each method its mean PSNR over all
	evaluated images, not only those shown.</p>${figures}`;
}

async function strip(
	run: RunContents,
	pictures: Pictures,
	file: string,
	label: Html,
	alt: string,
): Promise<Html> {
	const image = run.pictures.has(file) ? await pictures.image(file, alt) : null;
	return html`<div class="label">${label}</div><div>${image ?? unreadable(file)}</div>`;
}

const unreadable = (file: string): Html => html`<p class="note">No picture (${file}).</p>`;

const name = (arm: Arm): Html => html`<span class="name arm-${arm.colour % 6}">${arm.label}</span>`;

/** `1,200 steps (19,200 images)`. */
function stepName(arm: Arm, step: number): string {
	// Between two lines of the log the images are in proportion to the steps.
	const line = arm.metrics.find((each) => each.step >= step);
	const images = line && Math.round((line.images * step) / line.step);
	const seen =
		images !== undefined && step > 0 ? ` (${grouped(images)} ${plural(images, 'image')} seen)` : '';
	return `${grouped(step)} ${plural(step, 'step')}${seen}`;
}
