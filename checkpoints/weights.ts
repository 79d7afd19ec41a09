// Weights of networks that others trained and that cannot be shipped: a folder of the user's, one safetensors file and
// one manifest a part (`squeeze-backbone.json`, `squeeze-heads-0.1.json`). They come in through the readers of PyTorch,
// safetensors and ONNX files, which build tensors and run nothing.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { HostTensors } from '../engine/contract.ts';
import { expected, RtilError } from '../errors/index.ts';
import type {
	FaceInput,
	FaceWeights,
	LpipsVersion,
	LpipsWeights,
	PerceptualNetwork,
} from '../models/index.ts';
import { faceFrom, faceManifest } from './faces.ts';
import { fileName } from './manifest.ts';
import { recognise } from './recognise.ts';
import { decodeSafetensors } from './safetensors.ts';

const sha256 = z.hex().length(64);

const weightsManifest = z.strictObject({
	format: z.literal(1),
	/** Name of the part, and of its manifest. */
	kind: z.string().regex(/^[a-z0-9.-]+$/u),
	network: z.enum(['alex', 'vgg', 'squeeze', 'inception', 'face', 'niqe']),
	part: z.enum(['backbone', 'heads', 'statistics']),
	/** Of the heads: as published; null for another part. */
	version: z.enum(['0.0', '0.1']).nullable(),
	/** How the version is known: the file is a published one, a person said so, or neither. */
	versionBy: z.enum(['digest', 'stated', 'assumed']).nullable(),
	/** The file that was added. */
	source: z.strictObject({ name: z.string(), sha256, bytes: z.int().min(0) }),
	/** The tensors in this project's layout, or an ONNX file as it was. */
	file: z.strictObject({ name: fileName, sha256, bytes: z.int().min(0) }),
	/** Of a face network. */
	face: faceManifest.optional(),
});

/** What is known of one part: a network's backbone or heads, or statistics. */
export type WeightsManifest = z.infer<typeof weightsManifest>;

/** The published heads by the first 12 digits of their sha256 (richzhang/PerceptualSimilarity, lpips/weights). */
const publishedHeads: Readonly<Record<string, LpipsVersion>> = {
	df73285e35b2: '0.1',
	a78928a0af1e: '0.1',
	'4a5350f23600': '0.1',
	'18720f55913d': '0.0',
	b9e4236260c3: '0.0',
	c27abd3a0145: '0.0',
};

export interface WeightsOptions {
	/** Folder of the weights; default: `weightsFolder()`. */
	dir?: string;
}

export interface AddWeightsOptions extends WeightsOptions {
	/** Version of the heads, where the file is none of the published ones; default 0.1. */
	version?: LpipsVersion;
	/** What a face network expects; default: rgb in [−1, 1] (bytes, where an ONNX file normalises), the whole image. */
	face?: Partial<FaceInput>;
}

/** Where the user's weights are: `weights` in the user's cache (`RTIL_CACHE`, else `XDG_CACHE_HOME/rtil`). */
export function weightsFolder(env: NodeJS.ProcessEnv = process.env): string {
	const cache = env.RTIL_CACHE ?? path.join(env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'rtil');
	return path.join(cache, 'weights');
}

/**
 * Takes a `.pth`, `.safetensors`, `.npz` or `.onnx` file into the folder, known by its names and shapes; one of the same
 * kind is replaced. An ONNX file is a face network.
 *
 * @throws NOT_FOUND; CORRUPT for a damaged or hostile file; INVALID_INPUT for one that is none of those accepted;
 * MISMATCH for one that is nearly, and for an ONNX graph with parts that are not supported.
 */
export async function addWeights(
	file: string,
	{ dir = weightsFolder(), version, face = {} }: AddWeightsOptions = {},
): Promise<WeightsManifest> {
	const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
		throw new RtilError('NOT_FOUND', `Cannot read ${file} (${cause.code})`, '', { cause });
	});
	const found = await recognise(bytes, file, face);
	const { network, part, content, extension } = found;

	const source = { name: path.basename(file), sha256: digest(bytes), bytes: bytes.length };
	const published = publishedHeads[source.sha256.slice(0, 12)];
	if (part === 'heads' && published && version && version !== published) {
		throw expected(`version ${published}, which this published file is,`, `the heads in ${file}`, version);
	}
	const versions =
		part !== 'heads'
			? { version: null, versionBy: null }
			: published
				? { version: published, versionBy: 'digest' as const }
				: { version: version ?? '0.1', versionBy: version ? ('stated' as const) : ('assumed' as const) };
	const kind = kindOf(network, part, versions.version);
	const sha = digest(content);
	const manifest: WeightsManifest = {
		format: 1,
		kind,
		network,
		part,
		...versions,
		source,
		file: { name: `${kind}.${sha.slice(0, 12)}.${extension}`, sha256: sha, bytes: content.length },
		...(found.face ? { face: found.face } : {}),
	};
	await mkdir(dir, { recursive: true });
	// The manifest is what makes the tensors known: it comes last, and what it replaces goes after it.
	await writeWhole(path.join(dir, manifest.file.name), content);
	await writeWhole(path.join(dir, `${kind}.json`), `${JSON.stringify(manifest, null, '\t')}\n`);
	for (const name of await readdir(dir)) {
		const current = name === manifest.file.name;
		const old = name.startsWith(`${kind}.`) && /\.(safetensors|onnx)$/u.test(name) && !current;
		if (old) await rm(path.join(dir, name), { force: true });
	}
	return manifest;
}

/** Everything in the folder, in the order of its names; @throws CORRUPT for a damaged manifest. */
export async function knownWeights({
	dir = weightsFolder(),
}: WeightsOptions = {}): Promise<WeightsManifest[]> {
	const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.json')).sort();
	return Promise.all(names.map((name) => readWeightsManifest(path.join(dir, name))));
}

/**
 * Backbone and heads of a network's LPIPS, checked against their digests.
 *
 * @throws NOT_FOUND, naming the part that is missing and the command that adds it; CORRUPT.
 */
export async function loadPerceptual(
	network: PerceptualNetwork,
	{ dir = weightsFolder(), version = '0.1' }: AddWeightsOptions = {},
): Promise<LpipsWeights> {
	const [backbone, heads] = [kindOf(network, 'backbone', null), kindOf(network, 'heads', version)];
	const known = new Map((await knownWeights({ dir })).map((manifest) => [manifest.kind, manifest]));
	const missing = [backbone, heads].filter((kind) => !known.has(kind));
	if (missing.length > 0) {
		throw new RtilError(
			'NOT_FOUND',
			`LPIPS with ${network}, version ${version}, needs weights that are not known: ${missing.join(' and ')}`,
			`Add ${missing.map((kind) => whatIs(network, kind === backbone)).join(' and ')} with: rtil weights add FILE`,
		);
	}
	const parts = await Promise.all([backbone, heads].map((kind) => readPart(dir, known.get(kind)!)));
	return { network, version, params: Object.assign({}, ...parts) };
}

/**
 * The parameters of FID's Inception, checked against their digest.
 *
 * @throws NOT_FOUND, naming the command that adds it; CORRUPT.
 */
export async function loadInception({ dir = weightsFolder() }: WeightsOptions = {}): Promise<HostTensors> {
	const known = (await knownWeights({ dir })).find(({ network }) => network === 'inception');
	if (known) return readPart(dir, known);
	throw new RtilError(
		'NOT_FOUND',
		'FID and KID need the weights of an Inception that are not known',
		'Add pt_inception-2015-12-05 of mseitzer/pytorch-fid (.pth) with: rtil weights add FILE',
	);
}

/**
 * The face network of this user, checked against its digest.
 *
 * @throws NOT_FOUND, naming the command that adds one; CORRUPT.
 */
export async function loadFace({ dir = weightsFolder() }: WeightsOptions = {}): Promise<FaceWeights> {
	const known = (await knownWeights({ dir })).find(({ network }) => network === 'face');
	if (!known?.face) {
		throw new RtilError(
			'NOT_FOUND',
			'Identity similarity needs a face network, and none is known',
			'Add an iresnet of insightface (.pth, .safetensors) or an ONNX file with: rtil weights add FILE',
		);
	}
	const bytes = await readChecked(dir, known);
	return faceFrom(known.face, bytes, known.source, path.join(dir, known.file.name));
}

/**
 * The statistics of pristine photographs for NIQE, with a label for tables, checked against their digest.
 *
 * @throws NOT_FOUND, naming the command that adds them; CORRUPT.
 */
export async function loadPristine({
	dir = weightsFolder(),
}: WeightsOptions = {}): Promise<{ label: string; mean: Float32Array; covariance: Float32Array }> {
	const known = (await knownWeights({ dir })).find(({ network }) => network === 'niqe');
	if (!known) {
		throw new RtilError(
			'NOT_FOUND',
			'NIQE needs the statistics of pristine photographs, and none are known',
			'Add niqe_pris_params.npz of XPixelGroup/BasicSR with: rtil weights add FILE',
		);
	}
	const { mean, covariance } = await readPart(dir, known);
	const { name, sha256 } = known.source;
	return {
		label: `NIQE (${name}, ${sha256.slice(0, 12)})`,
		mean: mean!.data,
		covariance: covariance!.data,
	};
}

function kindOf(
	network: WeightsManifest['network'],
	part: WeightsManifest['part'],
	version: LpipsVersion | null,
): string {
	return part === 'heads' ? `${network}-heads-${version}` : `${network}-${part}`;
}

const torchvisionNames = { alex: 'alexnet', vgg: 'vgg16', squeeze: 'squeezenet1_1' } as const;

function whatIs(network: PerceptualNetwork, backbone: boolean): string {
	return backbone
		? `torchvision's ${torchvisionNames[network]} (.pth)`
		: `the LPIPS heads ${network}.pth of richzhang/PerceptualSimilarity`;
}

async function readPart(dir: string, manifest: WeightsManifest): Promise<HostTensors> {
	return decodeSafetensors(await readChecked(dir, manifest), path.join(dir, manifest.file.name));
}

async function readChecked(dir: string, { kind, file }: WeightsManifest): Promise<Buffer> {
	const place = path.join(dir, file.name);
	const bytes = await readFile(place).catch((cause: NodeJS.ErrnoException) => {
		throw damaged(place, `it cannot be read (${cause.code})`, kind);
	});
	if (digest(bytes) !== file.sha256) throw damaged(place, 'its sha256 is not what the manifest states', kind);
	return bytes;
}

async function readWeightsManifest(place: string): Promise<WeightsManifest> {
	const kind = path.basename(place, '.json');
	try {
		return weightsManifest.parse(JSON.parse(await readFile(place, 'utf8')));
	} catch (cause) {
		const why = cause instanceof z.ZodError ? z.prettifyError(cause).split('\n', 1)[0]! : String(cause);
		throw damaged(place, why, kind);
	}
}

function damaged(place: string, why: string, kind: string): RtilError {
	return new RtilError(
		'CORRUPT',
		`${place} is damaged: ${why}`,
		`Delete ${path.dirname(place)}/${kind}.json and add the weights again with: rtil weights add FILE`,
	);
}

function digest(bytes: Buffer): string {
	return createHash('sha256').update(bytes).digest('hex');
}

async function writeWhole(place: string, content: string | Buffer): Promise<void> {
	const building = `${place}.${process.pid}.writing`;
	try {
		await writeFile(building, content, { flush: true });
		await rename(building, place);
	} finally {
		await rm(building, { force: true });
	}
}
