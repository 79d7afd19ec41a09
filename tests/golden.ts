// Golden fixtures: tensors and numbers that reference implementations produced, kept outside the repository in
// `RTIL_FIXTURES` (default: ../shared/fixtures beside it). A test asks for a family or a section and gets every
// fixture of it, whatever the files are called, so that another set with other seeds runs through the same tests.
// Without fixtures a golden test says so in one line and passes.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { decodeSafetensors } from '../checkpoints/safetensors.ts';
import type { HostTensor, HostTensors } from '../engine/contract.ts';

/** Slack where a fixture expects exactly zero. */
const ZERO_SLACK = 1e-7;

/** Folder of the fixtures; may not exist. The compiled file lies in dist/tests. */
export const fixturesDir = path.resolve(
	process.env.RTIL_FIXTURES ??
		path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../shared/fixtures'),
);

interface TensorInfo {
	role?: 'input' | 'expected';
	shape: number[];
	dtype?: string;
	atol?: number;
}

interface Rule {
	shape: number[];
	seed: number;
	amp: number;
	off: number;
}

interface ScalarInfo {
	// biome-ignore lint/suspicious/noExplicitAny: numbers, strings and nested lists, as the fixture has them
	value: any;
	atol?: number;
}

interface FixtureJson {
	name: string;
	family: string;
	tensors_file?: string;
	shared?: Record<string, string>;
	tensors?: Record<string, TensorInfo>;
	rules?: Record<string, Rule>;
	scalars?: Record<string, ScalarInfo>;
	// biome-ignore lint/suspicious/noExplicitAny: free form, each family reads its own
	config?: any;
	// biome-ignore lint/suspicious/noExplicitAny: free form, each family reads its own
	[more: string]: any;
}

const files = new Map<string, HostTensors>();

function load(file: string): HostTensors {
	const tensors = files.get(file) ?? decodeSafetensors(readFileSync(path.join(fixturesDir, file)), file);
	files.set(file, tensors);
	return tensors;
}

/** One fixture: its configuration, inputs and what must come out. */
export class Fixture {
	readonly json: FixtureJson;
	/** As in the table of the fixtures' README: `2 StyleGAN2`. */
	readonly section: string;
	/** The comparison that came nearest to its tolerance: 1 is all of it. */
	closest = { name: '', ratio: 0 };

	constructor(json: FixtureJson, section: string) {
		this.json = json;
		this.section = section;
	}

	get name(): string {
		return this.json.name;
	}

	get family(): string {
		return this.json.family;
	}

	get config(): FixtureJson['config'] {
		return this.json.config;
	}

	/** Names of the tensors (not those of shared files) with a role or a prefix, in the fixture's order. */
	names(filter: { role?: 'input' | 'expected'; prefix?: string } = {}): string[] {
		const { role, prefix = '' } = filter;
		const stored = Object.entries(this.json.tensors ?? {}).filter(([, info]) => !role || info.role === role);
		const made = role === 'expected' ? [] : Object.keys(this.json.rules ?? {});
		return [...new Set([...stored.map(([name]) => name), ...made])].filter((name) => name.startsWith(prefix));
	}

	/** Names below a prefix, the prefix cut off, with their tensors; also of a shared file: `group('w.')`. */
	group(prefix: string): HostTensors {
		const shared = Object.entries(this.json.shared ?? {}).flatMap(([key, file]) =>
			Object.keys(load(file)).map((name) => `${key}.${name}`),
		);
		const names = [...this.names(), ...shared].filter((name) => name.startsWith(prefix));
		return Object.fromEntries(names.map((name) => [name.slice(prefix.length), this.tensor(name)]));
	}

	has(name: string): boolean {
		return this.find(name) !== undefined;
	}

	/** A tensor by name: stored, made by the counter rule, or of a shared file (`w.g.conv1.conv.weight`). */
	tensor(name: string): HostTensor {
		const found = this.find(name);
		if (!found) throw new Error(`${this.name} has no tensor ${name}`);
		return found;
	}

	private find(name: string): HostTensor | undefined {
		const rule = this.json.rules?.[name];
		if (rule) return { shape: rule.shape, data: hashUniform(rule) };
		const own = this.json.tensors_file ? load(this.json.tensors_file) : {};
		if (Object.hasOwn(own, name)) return own[name];
		for (const [key, file] of Object.entries(this.json.shared ?? {})) {
			const inner = name.slice(key.length + 1);
			if (name.startsWith(`${key}.`) && Object.hasOwn(load(file), inner)) return load(file)[inner];
		}
		return undefined;
	}

	/** A scalar's value; `inf`, `-inf` and `nan` become numbers. */
	scalar(name: string): FixtureJson['config'] {
		const info = this.json.scalars?.[name];
		if (!info) throw new Error(`${this.name} has no scalar ${name}`);
		return toNumber(info.value);
	}

	/** Names of the scalars with a prefix. */
	scalars(prefix = ''): string[] {
		return Object.keys(this.json.scalars ?? {}).filter((name) => name.startsWith(prefix));
	}

	/** The tolerance the fixture states for a tensor or a scalar. */
	atol(name: string): number {
		const info = this.json.tensors?.[name] ?? this.json.scalars?.[name];
		if (info?.atol === undefined) throw new Error(`${this.name} states no tolerance for ${name}`);
		return info.atol;
	}

	/**
	 * The largest absolute error of `actual` against a tensor or scalar of this name; throws when it is above the
	 * fixture's tolerance (times `slack`), when shapes disagree, or where only one of the two is finite.
	 */
	expect(name: string, actual: HostTensor | ArrayLike<number> | number, slack = 1): number {
		const place = `${this.name}: ${name}`;
		const wanted = this.json.scalars?.[name] ? [this.scalar(name)].flat(9) : this.tensor(name).data;
		const got = typeof actual === 'number' ? [actual] : 'data' in actual ? actual.data : actual;
		if (typeof actual === 'object' && 'shape' in actual && !this.json.scalars?.[name]) {
			const { shape } = this.tensor(name);
			if (`${shape}` !== `${actual.shape}`)
				throw new Error(`${place} has shape [${actual.shape}], not [${shape}]`);
		}
		if (got.length !== wanted.length) {
			throw new Error(`${place} has ${got.length} values, not ${wanted.length}`);
		}
		const stated = this.atol(name) * slack;
		const allowed = stated > 0 ? stated : ZERO_SLACK;
		let worst = 0;
		let at = 0;
		for (let i = 0; i < wanted.length; i++) {
			const error = Object.is(got[i], wanted[i]) ? 0 : Math.abs(got[i]! - wanted[i]!);
			if (error > worst || Number.isNaN(error)) {
				worst = error;
				at = i;
				if (Number.isNaN(error)) break;
			}
		}
		if (!(worst <= allowed)) {
			throw new Error(
				`${place} is off by ${worst} at element ${at} (got ${got[at]}, expected ${wanted[at]}, allowed ${allowed})`,
			);
		}
		if (worst / allowed > this.closest.ratio) this.closest = { name, ratio: worst / allowed };
		return worst;
	}
}

/** Fixtures of a family (`sg2_forward`), of a section (`7` or `7 metrics`), or whose family starts with `name*`. */
export function fixtures(which: string): Fixture[] {
	if (!existsSync(fixturesDir)) return [];
	const sections = sectionsByName();
	return readdirSync(fixturesDir)
		.filter((file) => file.endsWith('.json') && file !== 'index.json')
		.sort()
		.map((file) => JSON.parse(readFileSync(path.join(fixturesDir, file), 'utf8')) as FixtureJson)
		.map((json) => new Fixture(json, sections.get(json.name) ?? ''))
		.filter(({ family, section }) =>
			which.endsWith('*')
				? family.startsWith(which.slice(0, -1))
				: [family, section, section.split(' ')[0]].includes(which),
		);
}

function sectionsByName(): Map<string, string> {
	const file = path.join(fixturesDir, 'index.json');
	if (!existsSync(file)) return new Map();
	const index = JSON.parse(readFileSync(file, 'utf8')) as { fixtures: { name: string; section: string }[] };
	return new Map(index.fixtures.map(({ name, section }) => [name, section]));
}

/** One test over every fixture of a family or section; without fixtures it logs a line and passes. */
export function testGolden(
	title: string,
	which: string,
	body: (t: ExecutionContext, fixture: Fixture) => void | Promise<void>,
): void {
	test(title, async (t) => {
		const found = fixtures(which);
		if (found.length === 0) t.log(`no golden fixtures for ${which} in ${fixturesDir}: nothing compared`);
		for (const fixture of found) {
			await body(t, fixture);
			const { name, ratio } = fixture.closest;
			if (name) t.log(`${fixture.name}: at most ${ratio.toPrecision(2)} of the tolerance, at ${name}`);
		}
		t.pass();
	});
}

/** The fixtures' counter rule: value i is a hash of (seed, i) on [off − amp, off + amp], rounded once to float32. */
export function hashUniform({ shape, seed, amp, off }: Rule): Float32Array {
	const data = new Float32Array(shape.reduce((size, side) => size * side, 1));
	const base = Math.imul(seed, 2246822519) + 374761393;
	for (let i = 0; i < data.length; i++) {
		let h = Math.imul(i, 2654435761) + base;
		h ^= h >>> 16;
		h = Math.imul(h, 2246822507);
		h ^= h >>> 13;
		h = Math.imul(h, 3266489909);
		h ^= h >>> 16;
		data[i] = off + amp * (2 * (((h >>> 0) + 0.5) / 4294967296) - 1);
	}
	return data;
}

function toNumber(value: FixtureJson['config']): FixtureJson['config'] {
	if (Array.isArray(value)) return value.map(toNumber);
	if (typeof value !== 'string') return value;
	const named: Record<string, number> = {
		inf: Number.POSITIVE_INFINITY,
		'-inf': Number.NEGATIVE_INFINITY,
		nan: Number.NaN,
	};
	return named[value.toLowerCase()] ?? value;
}
