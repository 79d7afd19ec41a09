// The whole page from its parts.
import { compareArms } from './comparison.ts';
import { reconstructions, samples } from './gallery.ts';
import { answer, verdicts } from './headline.ts';
import { type Html, html, Html as Markup } from './html.ts';
import { Pictures } from './pictures.ts';
import { provenance } from './provenance.ts';
import { results } from './results.ts';
import type { RunContents } from './run-folder.ts';
import { style } from './style.ts';
import { training } from './training.ts';

/** Nothing is loaded from elsewhere and nothing runs: pictures are in the page or beside it. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self' file:";

export async function page(run: RunContents): Promise<string> {
	const comparison = compareArms(run);
	const pictures = new Pictures(run.folder);
	// One after another: whichever comes first in the page gets its pictures inlined first.
	const sections = [
		section('samples', 'Samples', await samples(run, pictures)),
		section('results', 'Results', await results(run, comparison)),
		section('reconstructions', 'Reconstructions', await reconstructions(run, comparison, pictures)),
		section('training', 'Training', await training(run)),
		section('provenance', 'Provenance', provenance(run)),
	];
	const title = titleOf(run);
	const { state, endedAt, startedAt } = run.provenance;
	const when = endedAt ?? startedAt;
	return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${run.name} · ${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<header>
<p class="run">Run ${run.name}${when && html` · <time datetime="${when}">${when.slice(0, 16).replace('T', ' ')}</time>`}${
		state && state !== 'complete' && ` · ${state}`
	}</p>
<h1>${title}</h1>
<p class="answer" id="answer">${answer(run, comparison)}</p>
</header>
${missing(run)}
${verdicts(comparison)}
<nav aria-label="Contents"><ul>${sections.map(({ id, heading }) => html`<li><a href="#${id}">${heading}</a></li>`)}</ul></nav>
${sections.map(({ body }) => body)}
</main>
</body>
</html>
`.text;
}

function titleOf({ arms }: RunContents): string {
	const labels = arms.map((arm) => arm.label);
	if (labels.length < 2) return labels[0] ?? 'No arms';
	return `${labels.slice(1).join(', ')} compared with ${labels[0]}`;
}

function section(id: string, heading: string, body: Html): { id: string; heading: string; body: Html } {
	return {
		id,
		heading,
		body: html`<section aria-labelledby="${id}"><h2 id="${id}">${heading}</h2>${body}</section>\n`,
	};
}

function missing(run: RunContents): Html | null {
	const state = run.provenance.state;
	const stopped =
		state &&
		state !== 'complete' &&
		`The run is ${state}${run.provenance.reason ? `: ${run.provenance.reason}` : ''}.`;
	const all = [...(stopped ? [stopped] : []), ...run.missing];
	if (all.length === 0) return null;
	return html`<section class="missing" aria-labelledby="missing"><h2 id="missing">This report is not complete</h2>
<ul>${all.map((sentence) => html`<li>${sentence}</li>`)}</ul></section>`;
}
