import test from 'ava';
import { diagnose } from '../../cli/doctor.ts';

test('a diagnosis names every part, its state, and a remedy where it is not well', async (t) => {
	const { ok, findings } = await diagnose({ engine: 'wasm', threads: 1 });
	t.deepEqual(
		findings.map(({ name }) => name),
		[
			'node',
			'engine',
			'libtensorflow',
			'gpu',
			'processors',
			'memory',
			'nats-server',
			'sharp',
			'cache',
			'disk',
		],
	);
	for (const { name, value, state, remedy } of findings) {
		t.not(value, '', name);
		t.is(state === 'ok', remedy === '', name);
	}
	t.is(ok, !findings.some(({ state }) => state === 'missing'));
	t.regex(findings.find(({ name }) => name === 'engine')!.value, /^wasm/);
});

test('an engine that is not there is missing, with what to do', async (t) => {
	const { ok, findings } = await diagnose({ engine: 'quantum' as 'wasm' });
	const engine = findings.find(({ name }) => name === 'engine')!;
	t.false(ok);
	t.is(engine.state, 'missing');
	t.regex(engine.value, /Expected one of auto, gpu, native, wasm for engine/);
});
