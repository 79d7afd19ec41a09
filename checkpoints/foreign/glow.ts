// Glow in the layout of rosinality/glow-pytorch. Its networks take images of any side, so a file does not tell theirs.
import type { HostTensor, HostTensors } from '../../engine/contract.ts';
import { type GlowArchitecture, glowOf } from '../../models/index.ts';
import { fromGlow, toGlow } from '../pytorch/index.ts';
import { type ForeignLayout, indices, leftOver, shapeOf } from './contract.ts';

/** That code's default. */
const DEFAULT_RESOLUTION = 64;

export const glowLayout: ForeignLayout = {
	name: 'Glow of rosinality/glow-pytorch',

	recognise: (has) => (has('blocks.0.flows.0.actnorm.loc') ? 'generator' : undefined),

	read(state, _, { resolution: given }) {
		const resolution = given ?? DEFAULT_RESOLUTION;
		const blocks = indices(state, /^blocks\.(\d+)\./u).length;
		const plain = indices(state, /^blocks\.(\d+)\.flows\.0\.invconv\.weight$/u).length;
		const net = 'blocks.0.flows.0.coupling.net';
		const architecture: GlowArchitecture = {
			kind: 'glow',
			resolution,
			blocks,
			steps: indices(state, /^blocks\.0\.flows\.(\d+)\./u).length,
			// The first block has 12 channels: half of them are changed, by a shift or by a shift and a scale.
			coupling: shapeOf(state, `${net}.4.conv.weight`)[0] === 12 ? 'affine' : 'additive',
			filters: shapeOf(state, `${net}.0.weight`)[0]!,
			...(plain > 0 ? { plainBlocks: plain } : {}),
		};
		const { shapes, constants } = glowOf(architecture);
		return {
			architecture,
			params: fromGlow(state, { ...shapes, ...constants }),
			left: leftOver(state, { ...shapes, ...constants }, reasonOf),
			notes: [
				...(given ? [] : [`the file does not tell the side of the images: ${resolution} is taken`]),
				...(plain > 0 ? [`${plain} blocks have no LU decomposition: to be evaluated, not trained`] : []),
			],
		};
	},

	stores: ({ kind }) => kind === 'glow',

	write({ average }) {
		return {
			content: { ...toGlow(average), ...remade(average) },
			notes: ['names are those of Glow itself, without the module. of DataParallel'],
		};
	},
};

function reasonOf(name: string): string | undefined {
	if (/\.invconv\.(l_mask|u_mask|l_eye)$/u.test(name)) return 'a constant here';
	return name.endsWith('.actnorm.initialized') ? 'a flag: what is imported is initialised' : undefined;
}

/** The masks, identities and flags that are stored there. */
function remade(params: HostTensors): HostTensors {
	const square = (c: number, one: (i: number, j: number) => boolean): HostTensor => ({
		shape: [c, c],
		data: Float32Array.from({ length: c * c }, (_, n) => (one(Math.floor(n / c), n % c) ? 1 : 0)),
	});
	const entries = Object.entries(params).flatMap(([name, { shape }]): [string, HostTensor][] => {
		const at = name.slice(0, name.lastIndexOf('.'));
		if (name.endsWith('.actnorm.loc')) {
			return [[`${at}.initialized`, { shape: [], data: Float32Array.of(1) }]];
		}
		if (!name.endsWith('.invconv.w_l')) return [];
		return [
			[`${at}.l_mask`, square(shape[0]!, (i, j) => j < i)],
			[`${at}.u_mask`, square(shape[0]!, (i, j) => j > i)],
			[`${at}.l_eye`, square(shape[0]!, (i, j) => i === j)],
		];
	});
	return Object.fromEntries(entries);
}
