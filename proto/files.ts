// Where the .proto files are: beside this file in the sources, and in the sources' `proto/` when this file runs
// compiled from `dist/proto/`.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of the folder that holds `rtil/v1/*.proto`: the include path of every import between them. */
export function protoFolder(): string {
	const beside = fileURLToPath(new URL('.', import.meta.url));
	return existsSync(new URL('./rtil', import.meta.url))
		? beside
		: fileURLToPath(new URL('../../proto/', import.meta.url));
}
