// Networks that are compared are cut alike, whatever they were trained for.
import path from 'node:path';
import test from 'ava';
import { parseExperiment, planOf } from '../../coordinator/index.ts';
import { prepareDataset } from '../../data/index.ts';
import { type EvaluationEvent, evaluate, InversionSession } from '../../inverter/index.ts';
import { temporaryFolder, writeTinyCheckpoint } from './node-fixture.ts';
import { engine } from './solving.ts';

test('a solver that is not told cuts where the comparison says, else where it would itself', async (t) => {
	const dir = await temporaryFolder(t);
	const data = await prepareDataset({ kind: 'faces', count: 1, resolution: 16, seed: 1 }, { cache: dir });
	await writeTinyCheckpoint(path.join(dir, 'vanilla'));
	await writeTinyCheckpoint(path.join(dir, 'rtil'), 'rtil');
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const layers = async (arm: string, solver: object, more: object = {}): Promise<string[]> => {
		const seen: EvaluationEvent[] = [];
		const payload = {
			run: 'r',
			arm,
			checkpoint: { dir: path.join(dir, arm) },
			problem: { kind: 'identity' },
			solver,
			images: { file: data.file, indices: [0] },
			seeds: [0],
			...more,
		};
		await evaluate(session, payload, {
			signal: new AbortController().signal,
			emit: (event) => void seen.push(event),
		});
		return [...new Set(seen.map(({ layer }) => layer))];
	};
	const ilo = { kind: 'ilo', steps: [1, 1, 1] };
	for (const arm of ['vanilla', 'rtil']) {
		t.deepEqual(await layers(arm, ilo), ['latent', 'b4', 'b8']);
		t.deepEqual(await layers(arm, { kind: 'ilo', steps: [1, 1] }, { cuts: ['b8'] }), ['latent', 'b8']);
		// Places that no network has do not count; what a solver is told does.
		t.deepEqual(await layers(arm, ilo, { cuts: ['b64'] }), ['latent', 'b4', 'b8']);
		const told = { ...ilo, steps: [1, 1], cuts: ['b4'] };
		t.deepEqual(await layers(arm, told, { cuts: ['b8'] }), ['latent', 'b4']);
	}
});

test('all arms of a run are evaluated at the cuts that one of them was regularised at', (t) => {
	const cutsIn = (arms: string): unknown[] => {
		const text = `
name: small
resolution: 16
data: { kind: faces, count: 8 }
test: { kind: faces, count: 2, seed: 1 }
arms: ${arms}
budget: { steps: 4 }
evaluation: { problems: [{ kind: identity }], solvers: [ilo], seeds: [0] }
`;
		const experiment = parseExperiment(text, { name: 'small.yaml', folder: '/' });
		const ref = { blob: '0'.repeat(64), fingerprint: 'f', count: 8, resolution: 16, channels: 3 };
		const spec = { run: 'r', experiment, hash: 'h', data: ref, test: ref, submittedAt: '', generation: 0 };
		const results = new Map(experiment.arms.map(({ name }) => [`train.${name}`, { checkpoint: {} }]));
		return planOf(spec)
			.filter(({ kind }) => kind === 'evaluate')
			.map((job) => job.payload(results).cuts);
	};
	t.deepEqual(cutsIn('[vanilla, { name: rtil, rtil: { cuts: [b8] } }]'), [['b8'], ['b8']]);
	t.deepEqual(cutsIn('[vanilla, { name: mixed, rtil: { cut: b4, codes: [4] } }]'), [['b4'], ['b4']]);
	t.deepEqual(cutsIn('[vanilla, { name: other }]'), [undefined, undefined]);
});
