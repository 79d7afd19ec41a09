// Where the numbers come from, and what a reader must know to judge them.
import { stringify } from 'yaml';
import { type Html, html } from './html.ts';
import { armProvenanceSchema, provenanceSchema } from './inputs.ts';
import type { Arm, RunContents } from './run-folder.ts';
import { duration, fixed, grouped, scientific } from './wording.ts';

export function provenance(run: RunContents): Html {
	const { provenance: from } = run;
	const more = Object.entries(from).filter(([key]) => !(key in provenanceSchema.shape));
	return html`${armTable(run.arms)}
	<h3>Notes</h3><ul>${notes(run).map((note) => html`<li>${note}</li>`)}</ul>
	<h3>Repeat it</h3>${
		from.command
			? html`<pre><code>${from.command}</code></pre>`
			: html`<p class="note">The command was not recorded.</p>`
	}
	<dl>${entry('Started', from.startedAt)}${entry('Ended', from.endedAt)}${entry('State', stateOf(run))}
	${list('Seed', from.seeds)}${list('Hardware', from.hardware)}${list('Version', from.versions)}
	${list('sha256', from.hashes)}${more.map(([key, value]) => entry(key, plain(value)))}
	${run.arms.map(armExtras)}</dl>
	${
		run.resolved
			? html`<details class="print"><summary>The whole experiment, after defaults</summary>
	<pre tabindex="0"><code>${stringify(run.resolved, { aliasDuplicateObjects: false })}</code></pre></details>`
			: html`<p class="note">The resolved experiment (resolved.json) is missing.</p>`
	}`;
}

function armTable(arms: readonly Arm[]): Html | null {
	if (arms.length === 0) return null;
	const rows = arms.map((arm) => {
		const { state, steps, images, flops, seconds, parameters, checkpoint } = arm.provenance;
		const last = arm.metrics.at(-1);
		return html`<tr><th scope="row" class="text"><span class="name arm-${arm.colour % 6}">${arm.label}</span></th>
		<td class="text">${state ?? '–'}</td><td>${count(steps ?? last?.step)}</td><td>${count(images ?? last?.images)}</td>
		<td>${flops === undefined ? '–' : scientific(flops)}</td>
		<td>${seconds === undefined ? '–' : duration(seconds)}</td><td>${count(parameters)}</td>
		<td class="text mono">${checkpoint ? html`<span title="${checkpoint}">${checkpoint.slice(0, 12)}</span>` : '–'}</td></tr>`;
	});
	return html`<h3>What each arm was given</h3>
	<div class="scroll" role="region" aria-label="Budget of each arm" tabindex="0"><table>
	<thead><tr><th scope="col" class="text">Arm</th><th scope="col" class="text">State</th><th scope="col">Steps</th>
	<th scope="col">Images seen</th><th scope="col">FLOPs</th><th scope="col">Training time</th>
	<th scope="col">Parameters of G</th><th scope="col" class="text">Checkpoint</th></tr></thead>
	<tbody class="plain">${rows}</tbody></table></div>`;
}

/** What was recorded of an arm beyond the table. */
function armExtras({ label, provenance: from }: Arm): (Html | null)[] {
	const more = Object.entries(from).filter(([key]) => !(key in armProvenanceSchema.shape));
	return more.map(([key, value]) => entry(`${label}: ${key}`, plain(value)));
}

/** Notes of the run, and those that follow from its numbers. */
function notes(run: RunContents): string[] {
	const { provenance: from, arms } = run;
	const result = [
		`Budget rule: ${from.budgetRule ?? 'not recorded'}.`,
		...budgetGaps(arms),
		`What selected the returned iterate: ${from.selection ?? 'not recorded'}.`,
	];
	const seeds = new Set(run.rows.map((row) => row.seed)).size;
	const images = new Set(run.rows.map((row) => row.image)).size;
	if (run.rows.length > 0)
		result.push(
			`${images} test ${images === 1 ? 'image' : 'images'}, ${seeds} measurement ${seeds === 1 ? 'seed' : 'seeds'}; one training run an arm: the intervals cover the choice of test images, not the luck of a training run.`,
		);
	return [...result, ...(from.notes ?? [])];
}

/** Where an arm got more of something than the reference. */
function budgetGaps(arms: readonly Arm[]): string[] {
	const [reference, ...others] = arms;
	return others.flatMap((arm) => {
		const gaps = (['steps', 'images', 'flops', 'seconds'] as const).flatMap((key) => {
			const own = arm.provenance[key];
			const base = reference?.provenance[key];
			if (own === undefined || !base || Math.abs(own / base - 1) < 0.02) return [];
			const what = { steps: 'steps', images: 'images', flops: 'FLOPs', seconds: 'training time' }[key];
			return [`${fixed(own / base, 2)} × the ${what}`];
		});
		return gaps.length > 0 ? [`${arm.label} got ${gaps.join(', ')} of ${reference?.label}.`] : [];
	});
}

function stateOf({ provenance: from }: RunContents): string | undefined {
	return from.state && `${from.state}${from.reason ? ` (${from.reason})` : ''}`;
}

const count = (value: number | undefined): string => (value === undefined ? '–' : grouped(value));

function entry(name: string, value: string | undefined): Html | null {
	return value === undefined ? null : html`<dt>${name}</dt><dd>${value}</dd>`;
}

function list(kind: string, values: Record<string, unknown> | undefined): (Html | null)[] {
	return Object.entries(values ?? {}).map(([key, value]) => entry(`${kind}: ${key}`, plain(value)));
}

const plain = (value: unknown): string =>
	Array.isArray(value)
		? value.map(plain).join(', ')
		: typeof value === 'string'
			? value
			: JSON.stringify(value);
