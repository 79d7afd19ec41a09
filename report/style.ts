// The one style sheet of the page: light and dark, narrow and wide, screen and paper. No script anywhere.
import { darkInk, inkColours, palette } from './palette.ts';

const variables = (mode: 'light' | 'dark', ink: Record<string, string>, rest: string): string =>
	`${Object.entries(ink)
		.map(([name, value]) => `--${name}:${value}`)
		.join(';')};${palette.map((colour, i) => `--arm-${i}:${colour[mode]}`).join(';')};${rest}`;

const light = variables(
	'light',
	inkColours,
	'--ground:#fff;--card:#f6f7f9;--warn:#fff6e0;--warn-line:#e2b93b',
);
const dark = variables('dark', darkInk, '--ground:#14171b;--card:#1d2127;--warn:#2d2614;--warn-line:#8a6d1d');

/** Plots carry light colours as attributes: this exchanges them for the variables. */
const plotColours = [
	...palette.map((colour, i) => [colour.light, `--arm-${i}`]),
	...Object.entries(inkColours).map(([name, value]) => [value, `--${name}`]),
]
	.map(
		([value, name]) =>
			`.plot [fill="${value}"]{fill:var(${name})}.plot [stroke="${value}"]{stroke:var(${name})}`,
	)
	.join('');

const armColours = palette.map((_, i) => `.arm-${i}{--arm:var(--arm-${i})}`).join('');

export const style = `
:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
${armColours}${plotColours}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;
	-webkit-text-size-adjust:100%;overflow-wrap:break-word}
main{max-width:1080px;margin:0 auto;padding:2rem 1.25rem 4rem}
header p.run{margin:0;color:var(--soft);font-size:.875rem}
h1{font-size:clamp(1.6rem,4.5vw,2.3rem);line-height:1.2;letter-spacing:-.015em;margin:.15rem 0 .6rem;text-wrap:balance}
h2{font-size:1.3rem;letter-spacing:-.01em;margin:3.2rem 0 .5rem;padding-top:1.1rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.8rem 0 .5rem}
p{max-width:70ch;margin:.5rem 0}
p.answer{font-size:1.2rem;line-height:1.45;max-width:66ch;margin:.8rem 0 1rem}
p.note,figcaption,caption,.fine{color:var(--soft);font-size:.875rem;line-height:1.5}
nav ul,.legend,.verdicts{list-style:none;padding:0;margin:.6rem 0}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;font-size:.9rem}
a{color:var(--arm-0)}
figure{margin:1rem 0;min-width:0}
figcaption{margin-top:.4rem;max-width:75ch}
img,svg{display:block;max-width:100%;height:auto}
img{width:100%;border-radius:4px}
img.small{image-rendering:pixelated}
.pair{display:grid;gap:1.25rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr))}
.pair figure{margin:0}
.pair img{max-width:560px}
.steps{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fill,minmax(min(28%,150px),1fr))}
.steps figure{margin:0}
.plots{display:grid;gap:1.5rem 2rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));align-items:start}
.plot svg{width:100%;max-width:520px}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:.45rem}
.swatch{display:inline-block;width:.85em;height:.85em;border-radius:50%;background:var(--arm);flex:none;
	print-color-adjust:exact;-webkit-print-color-adjust:exact}
.swatch.arm-1{border-radius:1px}
.swatch.arm-2{border-radius:1px;transform:rotate(45deg) scale(.85)}
.name{border-left:4px solid var(--arm);padding-left:.5rem}
.verdicts{display:grid;gap:.45rem}
.verdicts li{display:grid;grid-template-columns:16.5rem 10.5rem 1fr;gap:.1rem 1rem;align-items:baseline;padding:.4rem .75rem;font-size:.92rem;
	background:var(--card);border-radius:6px;border-left:4px solid var(--line)}
.verdicts li.better{border-left-color:var(--arm-2)}
.verdicts li.worse{border-left-color:var(--arm-3)}
.verdicts .verdict{font-weight:600}
.missing{background:var(--warn);border:1px solid var(--warn-line);border-radius:6px;padding:.6rem 1rem;margin:1.2rem 0}
.missing h2{all:unset;display:block;font-weight:600}
.missing ul{margin:.3rem 0;padding-left:1.2rem}
.scroll{overflow-x:auto;margin:1rem 0;max-width:100%}
table{border-collapse:collapse;font-size:.83rem;font-variant-numeric:tabular-nums;width:100%}
caption{text-align:left;padding-bottom:.5rem;caption-side:top}
th,td{padding:.4rem .42rem;text-align:right;vertical-align:top;white-space:nowrap}
th{font-weight:600}
th .fine{font-size:inherit;font-weight:400}
thead th{border-bottom:1.5px solid var(--soft);vertical-align:bottom;line-height:1.3}
tbody+tbody>tr:first-child>*,tbody.plain tr+tr>*{border-top:1px solid var(--line)}
th.text,td.text{text-align:left}
td.text,th.wrap{white-space:normal}
th.wrap{min-width:7rem}
caption span{display:block;max-width:calc(100vw - 2.5rem)}
td.clear{font-weight:600}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.3rem 1.2rem;font-size:.9rem;margin:.6rem 0}
dt{color:var(--soft)}
dd{margin:0;min-width:0;overflow-wrap:anywhere}
code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.85em}
pre{background:var(--card);border-radius:6px;padding:.8rem 1rem;overflow-x:auto;line-height:1.45;font-size:.82rem}
details{margin:1rem 0}
summary{cursor:pointer;font-weight:600}
.strips{display:grid;grid-template-columns:minmax(7.5rem,max-content) minmax(0,1fr);gap:.45rem 1rem;align-items:center}
.strips .label{font-size:.875rem;line-height:1.3}
.strips .label small{display:block;color:var(--soft)}
.strips .rule{grid-column:1/-1;height:1px;background:var(--line);margin:.2rem 0}
@media (max-width:640px){
	main{padding:1.25rem 1rem 3rem}
	.strips{grid-template-columns:minmax(0,1fr)}
	.strips .label small{display:inline;margin-left:.4rem}
	.verdicts li{grid-template-columns:minmax(0,1fr)}
	dl{grid-template-columns:minmax(0,1fr);gap:0}
	dd{margin-bottom:.5rem}
	.pair{gap:1rem .6rem}
	.pair.two{grid-template-columns:1fr 1fr}
}
@media print{
	:root{${light};color-scheme:light}
	body{font-size:10.5pt}
	main{max-width:none;padding:0}
	nav{display:none}
	h2{break-after:avoid}
	figure,.strips,tr,.verdicts li{break-inside:avoid}
	.scroll{overflow:visible}
	table{font-size:7pt}
	th,td{padding:.2rem .25rem}
	pre{white-space:pre-wrap}
	details.print::details-content{content-visibility:visible;display:block}
	.pair{grid-template-columns:1fr 1fr}
}
`.replace(/\n\t*/g, '\n');
