// Pictures inside the page, so that the file can be mailed; past a total size they are linked relative to it.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Html, html } from './html.ts';

/** Most bytes of PNG that go into the page; mail servers refuse about 20 MB, and base64 adds a third. */
const INLINE_LIMIT = 12 * 2 ** 20;

/** Below this width a picture is shown enlarged, with hard pixels. */
const SMALL = 420;

/** Puts pictures of one run folder into one page. */
export class Pictures {
	readonly #folder: string;
	#inlined = 0;

	constructor(folder: string) {
		this.#folder = folder;
	}

	/** An `<img>` with its size and a text for those who do not see it; nothing when the file is no readable PNG. */
	async image(file: string, alt: string): Promise<Html | null> {
		const bytes = await readFile(path.join(this.#folder, file)).catch(() => null);
		const size = bytes && pngSize(bytes);
		if (!bytes || !size) return null;
		const fits = this.#inlined + bytes.length <= INLINE_LIMIT;
		if (fits) this.#inlined += bytes.length;
		const source = fits
			? `data:image/png;base64,${bytes.toString('base64')}`
			: file.split('/').map(encodeURIComponent).join('/');
		const small = size.width <= SMALL && html` class="small"`;
		return html`<img src="${source}" alt="${alt}" width="${size.width}" height="${size.height}"${small}>`;
	}
}

/** Width and height in the header of a PNG; `null` for anything else. */
function pngSize(bytes: Buffer): { width: number; height: number } | null {
	if (
		bytes.length < 24 ||
		bytes.readUInt32BE(0) !== 0x89504e47 ||
		bytes.toString('latin1', 12, 16) !== 'IHDR'
	)
		return null;
	return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}
