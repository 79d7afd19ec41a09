// FID and KID while an arm trains: measured of the samples against the data set, kept with the checkpoints they are of.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { startWorker } from '../../bus/index.ts';
import { listCheckpoints } from '../../checkpoints/index.ts';
import { openDataset } from '../../data/index.ts';
import { type HostTensor, openEngine, stream } from '../../engine/index.ts';
import type { RtilError } from '../../errors/index.ts';
import { fid, type Images, kid } from '../../metrics/index.ts';
import { type QualityOptions, qualitySchema, recipeOf } from '../../trainer/index.ts';
import { qualityMeter } from '../../trainer/quality.ts';
import { type Kind, tinyConfig, tinyFaces, trainTiny } from './tiny.ts';

const engine = await openEngine();
const folder = await mkdtemp(path.join(tmpdir(), 'rtil-quality-'));
const { file } = await tinyFaces(folder);
test.after.always(() => rm(folder, { recursive: true, force: true }));

const featureCount = 6;

/** A drawn projection of images onto a few numbers, in the place of Inception; keeps the images it is shown. */
function projection(): Pick<QualityOptions, 'features'> & { shown: Images[] } {
	const shown: Images[] = [];
	return {
		shown,
		features(images) {
			shown.push(images);
			const n = images.shape[0]!;
			const size = images.data.length / n;
			const weights = stream(3, 'projection').normals(0, size * featureCount);
			const data = Float32Array.from({ length: n * featureCount }, (_, at) => {
				const [image, feature] = [Math.floor(at / featureCount), at % featureCount];
				let sum = 0;
				for (let i = 0; i < size; i++) sum += weights[feature * size + i]! * images.data[image * size + i]!;
				return sum / Math.sqrt(size);
			});
			return { shape: [n, featureCount], data };
		},
	};
}

/** Images 0 … n − 1 of all that were shown, as one batch. */
function together(shown: readonly Images[]): HostTensor {
	const data = shown.flatMap((images) => [...images.data]);
	const count = shown.reduce((sum, { shape }) => sum + shape[0]!, 0);
	return { shape: [count, ...shown[0]!.shape.slice(1)], data: Float32Array.from(data) };
}

const { signal } = new AbortController();
const quality = (change: object = {}) => ({
	...qualitySchema.parse({ images: 40, ...change }),
	...projection(),
});

for (const kind of ['vanilla', 'pggan', 'glow'] as const) {
	test.serial(`${kind}: batches of samples are pure in their number, and the grid is number 0`, (t) => {
		using dataset = openDataset(file);
		const recipe = recipeOf(tinyConfig(kind), 7);
		const session = recipe.start(engine, dataset, recipe.initial(engine, dataset), recipe.typicalStep);
		try {
			const first = session.samples(1);
			t.deepEqual(session.samples(), session.samples(0));
			t.notDeepEqual(session.samples(0).data, first.data);
			t.notDeepEqual(session.samples(2).data, first.data);
			t.deepEqual(session.samples(1), first);
		} finally {
			session.dispose();
		}
	});
}

test.serial('they are those of as many samples and real images as asked for, both of 8 bits', async (t) => {
	using dataset = openDataset(file);
	const recipe = recipeOf(tinyConfig('vanilla'), 7);
	const session = recipe.start(engine, dataset, recipe.initial(engine, dataset), 0);
	try {
		const options = quality({ real: 'all' });
		const measure = qualityMeter(dataset, 7, options, signal);
		const found = await measure(session);
		const images = together(options.shown);
		t.is(images.shape[0], dataset.count + 40);
		const size = images.data.length / images.shape[0]!;
		const rows = (from: number, end: number): HostTensor => ({
			shape: [end - from, ...images.shape.slice(1)],
			data: images.data.slice(from * size, end * size),
		});
		// Every real image once, as it is stored.
		const all = dataset.read(Uint32Array.from({ length: dataset.count }, (_, i) => i));
		const sorted = (data: Float32Array) =>
			Array.from({ length: data.length / size }, (_, i) => `${data.slice(i * size, (i + 1) * size)}`).sort();
		t.deepEqual(sorted(rows(0, dataset.count).data), sorted(all));
		t.true(
			images.data.every((value) => Math.abs((value + 1) * 127.5 - Math.round((value + 1) * 127.5)) < 1e-4),
		);

		const { features } = projection();
		const [real, fake] = [features(rows(0, dataset.count)), features(rows(dataset.count, images.shape[0]!))];
		t.deepEqual(found, { fid: fid(real, fake), kid: kid(real, fake) });

		const before = options.shown.length;
		t.deepEqual(await measure(session), found, 'nothing changed, so nothing does');
		t.is(together(options.shown.slice(before)).shape[0], 40, 'real images are shown once');
	} finally {
		session.dispose();
	}
});

test('one real image is refused before training begins', async (t) => {
	using images = openDataset(file);
	const dataset = { ...images, count: 1 };
	const directory = path.join(folder, 'one');
	const training = trainTiny(engine, 'vanilla', { file, directory, steps: 2, dataset, quality: quality() });
	await t.throwsAsync(training, { code: 'INVALID_INPUT', message: /at least 2 images for FID and KID.*1/ });
});

test.serial('a checkpoint has what was measured of it, and keep.best goes by it', async (t) => {
	const directory = path.join(folder, 'best');
	const { events } = await trainTiny(engine, 'vanilla', {
		file,
		directory,
		steps: 10,
		keep: { keepLast: 1, best: { metric: 'fid', order: 'min' } },
		quality: quality({ every: { steps: 4 } }),
	});
	const told = events.flatMap((event) =>
		event.type === 'progress' && 'fid' in event.losses ? [{ step: event.step, ...event.losses }] : [],
	) as { step: number; fid: number; kid: number }[];
	t.deepEqual(
		told.map(({ step }) => step),
		[4, 8, 10],
	);
	const saved = events.flatMap((event) => (event.type === 'checkpoint' ? [event] : []));
	for (const { step, manifest } of saved) {
		const at = told.find((one) => one.step === step);
		t.is(manifest.metrics.fid, at?.fid, `step ${step}`);
		t.is(manifest.metrics.kid, at?.kid, `step ${step}`);
	}
	t.is(saved.length, 5);
	const best = told.reduce((a, b) => (b.fid < a.fid ? b : a));
	t.deepEqual(
		(await listCheckpoints(directory)).map(({ manifest }) => manifest.step),
		[...new Set([best.step, 10])],
	);
});

test.serial('measuring changes no bit of what is trained', async (t) => {
	for (const kind of ['rtil', 'pggan', 'glow'] satisfies Kind[]) {
		const run = (name: string, change: object) =>
			trainTiny(engine, kind, { file, directory: path.join(folder, kind, name), steps: 6, ...change });
		const plain = await run('plain', {});
		const measured = await run('measured', { quality: quality({ every: { steps: 2 } }) });
		for (const name of (await readdir(plain.dir)).filter((one) => one.endsWith('.safetensors'))) {
			const [a, b] = await Promise.all(
				[plain.dir, measured.dir].map((dir) => readFile(path.join(dir, name))),
			);
			t.true(a!.equals(b!), `${kind}: ${name}`);
		}
	}
});

test('a run that is stopped does not measure to the end', async (t) => {
	using dataset = openDataset(file);
	const recipe = recipeOf(tinyConfig('vanilla'), 7);
	const session = recipe.start(engine, dataset, recipe.initial(engine, dataset), 0);
	try {
		const stop = new AbortController();
		const options = quality({ images: 4000 });
		const measuring = qualityMeter(dataset, 7, options, stop.signal)(session);
		stop.abort();
		t.is(await measuring, undefined);
		t.is(options.shown.length, 1);
	} finally {
		session.dispose();
	}
});

test('a worker without the weights of an Inception says so before it trains', async (t) => {
	const module = new URL('../../trainer/worker.js', import.meta.url);
	const worker = startWorker({ module, name: 'trainer', env: { RTIL_CACHE: path.join(folder, 'empty') } });
	t.teardown(() => worker.stop());
	const told: unknown[] = [];
	const training = worker.call(
		'train',
		{
			run: 'test',
			arm: 'vanilla',
			config: tinyConfig('vanilla'),
			dataset: { file },
			directory: path.join(folder, 'worker'),
			seed: 7,
			steps: 2,
			checkpointEvery: { steps: 1 },
			sampleEvery: { steps: 1 },
			quality: {},
		},
		{ onEvent: (event) => told.push(event) },
	);
	const error = await t.throwsAsync(training, { code: 'NOT_FOUND', message: /weights of an Inception/ });
	t.regex((error as RtilError).remedy, /rtil weights add FILE/);
	t.deepEqual(told, []);
});
