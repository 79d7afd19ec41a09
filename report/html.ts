// HTML as a value: everything put into a template is escaped unless it is HTML already.

/** Text that is HTML. */
export class Html {
	readonly text: string;
	constructor(text: string) {
		this.text = text;
	}
	toString(): string {
		return this.text;
	}
}

export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

/** ``html`<p>${anything}</p>` ``: strings are escaped, lists joined, `null`, `undefined` and `false` are nothing. */
export function html(parts: TemplateStringsArray, ...values: HtmlValue[]): Html {
	return new Html(parts.reduce((text, part, i) => text + render(values[i - 1]) + part));
}

function render(value: HtmlValue): string {
	if (value === null || value === undefined || value === false) return '';
	if (value instanceof Html) return value.text;
	if (typeof value === 'object') return value.map(render).join('');
	return escapeHtml(String(value));
}

const entities: Record<string, string> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/** Safe as text and inside quoted attributes; control characters, which HTML forbids, become �. */
export function escapeHtml(text: string): string {
	return (
		text
			// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
			.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '\ufffd')
			.replace(/[&<>"']/g, (character) => entities[character] as string)
	);
}
