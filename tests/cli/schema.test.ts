import { readdir, readFile } from 'node:fs/promises';
import test from 'ava';
import { experimentJsonSchema, loadExperiment } from '../../coordinator/index.ts';
import { root, runRtil } from './rtil.ts';

const committed = (): Promise<string> => readFile(`${root}docs/experiment.schema.json`, 'utf8');

test('the committed JSON Schema is what the program would write: npx rtil schema --write', async (t) => {
	t.is(await committed(), `${JSON.stringify(experimentJsonSchema(), null, '\t')}\n`);
});

test('rtil schema prints it', async (t) => {
	const { code, out } = await runRtil(t, ['schema']);
	t.is(code, 0);
	t.deepEqual(JSON.parse(out), JSON.parse(await committed()));
});

test('every example is a valid experiment that names the schema in its first line', async (t) => {
	for (const name of (await readdir(`${root}examples`)).filter((file) => file.endsWith('.yaml'))) {
		const file = `${root}examples/${name}`;
		t.true(
			(await readFile(file, 'utf8')).startsWith(
				'# yaml-language-server: $schema=../docs/experiment.schema.json\n',
			),
		);
		t.is((await loadExperiment(file)).name, name.replace('.yaml', ''));
	}
});

test('the JSON Schema knows the short forms', (t) => {
	const { properties } = experimentJsonSchema() as {
		properties: Record<string, { anyOf?: { type?: string }[] }>;
	};
	for (const key of ['resolution', 'model', 'training']) t.truthy(properties[key]);
	for (const key of ['data', 'test', 'budget'])
		t.true(properties[key]!.anyOf!.some(({ type }) => type === 'string'));
});
