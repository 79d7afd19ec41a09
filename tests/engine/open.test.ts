// Which engine is opened, and what is said when it cannot be.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { openEngine } from '../../engine/index.ts';
import { RtilError } from '../../errors/index.ts';

const run = promisify(execFile);
const engineModule = new URL('../../engine/index.js', import.meta.url).href;

/** Opens an engine in a process of its own, by default one in which the native addon was never installed. */
async function inChild(
	options: object,
	{ env = {}, addon = false }: { env?: Record<string, string>; addon?: boolean } = {},
): Promise<string> {
	const hide = `
		import Module from 'node:module';
		const resolve = Module._resolveFilename;
		Module._resolveFilename = function (request, ...rest) {
			if (String(request).includes('tfjs_binding.node')) throw new Error('Cannot find module ' + request);
			return resolve.call(this, request, ...rest);
		};`;
	const script = `${addon ? '' : hide}
		const { openEngine } = await import(${JSON.stringify(engineModule)});
		try {
			const engine = await openEngine(${JSON.stringify(options)});
			process.stdout.write('opened ' + engine.name + ': ' + engine.description);
		} catch (error) {
			process.stdout.write([error.code, error.message, error.remedy].join(' | '));
		}
		process.exit();`;
	const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
		env: { ...process.env, RTIL_ENGINE: '', ...env },
	});
	return stdout;
}

test('an unknown engine is refused with the names there are', async (t) => {
	await t.throwsAsync(openEngine({ engine: 'cuda' as 'gpu' }), {
		instanceOf: RtilError,
		code: 'INVALID_INPUT',
		message: 'Expected one of auto, gpu, native, wasm for engine but received "cuda"',
	});
	t.is(
		await inChild({}, { env: { RTIL_ENGINE: 'tpu' } }),
		'INVALID_INPUT | Expected one of auto, gpu, native, wasm for engine but received "tpu" | ',
	);
});

test('the native engine asked for and not installed is an error with its remedy', async (t) => {
	t.is(
		await inChild({ engine: 'native' }),
		'ENVIRONMENT | The native engine is not installed | Run: npm run setup',
	);
	t.is(
		await inChild({ engine: 'gpu' }),
		'ENVIRONMENT | The native engine is not installed | Run: npm run setup',
	);
});

test('without it, the best there is is wasm, on the threads asked for', async (t) => {
	t.is(await inChild({ threads: 1 }), 'opened wasm: wasm (1 threads)');
});

test('a GPU asked for on a machine without one is an error with its remedy', async (t) => {
	const engine = await openEngine();
	if (engine.name === 'gpu') return t.pass();
	const said = await inChild({ engine: 'gpu' }, { addon: true });
	if (engine.name === 'wasm') return t.regex(said, /^ENVIRONMENT \| The native engine is not installed/);
	t.is(
		said,
		'ENVIRONMENT | The gpu engine is not there: TensorFlow finds no GPU that it can use | Run: rtil doctor',
	);
});
