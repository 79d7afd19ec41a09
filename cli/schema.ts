// rtil schema: the JSON Schema of the experiment file.
import type { Command } from 'commander';
import { declare, print, printJson } from './frame.ts';

export function schemaCommand(): Command {
	return declare(
		'schema',
		'Prints the JSON Schema of the experiment file. An editor uses it by a first line of the file:\n  # yaml-language-server: $schema=docs/experiment.schema.json',
		['rtil schema > docs/experiment.schema.json', 'rtil schema --write'],
	)
		.option('--write [file]', 'write it to a file (default: docs/experiment.schema.json)')
		.action(async ({ write }: { write?: string | true }) => {
			const { experimentJsonSchema, writeWhole } = await import('../coordinator/index.ts');
			const schema = experimentJsonSchema();
			if (write === undefined) return printJson(schema);
			const file = write === true ? 'docs/experiment.schema.json' : write;
			await writeWhole(file, `${JSON.stringify(schema, null, '\t')}\n`);
			print(file);
		});
}
