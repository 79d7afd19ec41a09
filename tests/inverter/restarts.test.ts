// Several starts of an image: the map of where they disagree.
import test from 'ava';
import { decodeImage } from '../../data/index.ts';
import { InversionSession, invert, selectMeasurements } from '../../inverter/index.ts';
import { picture, temporaryFolder, writeTinyCheckpoint } from './node-fixture.ts';
import { engine, measured, solve, worst } from './solving.ts';

const holes = measured({ kind: 'inpainting', mask: 'half' });

/** Mean of the spread over the left and the right half of an image. */
function halves({ shape, data }: { shape: readonly number[]; data: Float32Array }): [number, number] {
	const [, , width, channels] = shape as [number, number, number, number];
	const sums: [number, number] = [0, 0];
	for (const [k, value] of data.entries()) {
		const column = Math.floor(k / channels) % width;
		sums[column < width / 2 ? 0 : 1] += value / (data.length / 2);
	}
	return sums;
}

test('restarts of CSGM agree where the image is measured, and less where it is not', async (t) => {
	const solver = { kind: 'csgm', steps: 60, restarts: 4, start: 'random', misfit: 0.01 };
	const { result } = await solve(solver, holes);
	t.deepEqual(result.spread!.shape, [3, 16, 16, 3]);
	const measuredHalf = holes.support.data[0] === 1 ? 0 : 1;
	const means = halves(result.spread!);
	t.true(means[measuredHalf] < 0.7 * means[1 - measuredHalf]!, `${means}`);
	// As all that is an image's own, whatever its batch.
	const alone = (await solve(solver, selectMeasurements(holes, [1]))).result;
	t.true(worst(alone.spread!.data, result.spread!.data.subarray(768, 1536)) < 1e-3);
});

test('ILO restarts where asked to; the result is the start that fits best, one start spreads nothing', async (t) => {
	const solver = { kind: 'ilo', steps: [20, 10], select: { by: 'loss' } };
	const one = (await solve(solver, holes)).result;
	t.is(one.spread, undefined);
	const three = (await solve({ ...solver, restarts: 3 }, holes)).result;
	t.deepEqual(three.images.shape, [3, 16, 16, 3]);
	t.true(three.spread!.data.some((value) => value > 0.01));
	// Start 0 is the same, so that more starts fit no worse.
	for (const [i, residual] of three.residual.entries()) t.true(residual < one.residual[i]! + 1e-4);
});

test('an inversion of an image gives the map as a picture, if there are restarts', async (t) => {
	const dir = await temporaryFolder(t);
	await writeTinyCheckpoint(dir);
	const session = new InversionSession(engine);
	t.teardown(() => session.dispose());
	const spread = async (restarts: number): Promise<Uint8Array | null> => {
		const input = {
			problem: { kind: 'identity' },
			images: [{ name: 'a', file: await picture() }],
			resize: false,
		};
		const solver = { kind: 'csgm', steps: 5, restarts };
		const payload = { checkpoint: { dir }, input, solver, seed: 0 };
		const { images } = await invert(session, payload, {
			signal: new AbortController().signal,
			emit: () => {},
		});
		return images[0]!.spread;
	};
	t.is(await spread(1), null);
	const map = await decodeImage(Buffer.from((await spread(3))!), { channels: 3 });
	t.is(map.width, 16);
	t.true(map.data.some((value) => value > -0.99));
});
