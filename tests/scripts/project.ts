// A project of its own for tests of set-up: the real scripts, one source file, and packages linked from this one.
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';

const root = path.join(import.meta.dirname, '..', '..', '..');

const globals = [
	'Array<T>',
	'Boolean',
	'CallableFunction',
	'Function',
	'IArguments',
	'NewableFunction',
	'Number',
	'Object',
	'RegExp',
	'String',
];

export interface Outcome {
	code: number;
	stdout: string;
	stderr: string;
}

/** One entry of the report that `setup --json` prints. */
export interface Part {
	name: string;
	state: 'ok' | 'missing' | 'failed';
	detail: string;
	cost?: string;
	remedy?: string;
	changed: boolean;
	seconds: number;
}

export interface Report {
	ok: boolean;
	seconds: number;
	cache: string;
	node: string;
	parts: Part[];
}

export class Project {
	readonly folder: string;
	readonly env: Record<string, string>;

	private constructor(folder: string) {
		this.folder = folder;
		this.env = { PATH: this.at('bin-on-path'), RTIL_CACHE: this.at('cache'), HOME: folder };
	}

	/** Removed when the test ends. */
	static async make(t: ExecutionContext): Promise<Project> {
		const project = new Project(await mkdtemp(path.join(tmpdir(), 'rtil-setup-')));
		t.teardown(() => rm(project.folder, { recursive: true, force: true }));
		await Promise.all([
			cp(path.join(root, 'scripts'), project.at('scripts'), { recursive: true }),
			cp(path.join(root, 'bin'), project.at('bin'), { recursive: true }),
			project.write('package.json', '{ "type": "module" }'),
			project.write('package-lock.json', '{ "packages": { "": {} } }'),
			project.write('node_modules/.package-lock.json', '{ "packages": {} }'),
			project.write(
				'tsconfig.json',
				JSON.stringify({
					compilerOptions: {
						rootDir: '.',
						outDir: 'dist',
						module: 'nodenext',
						types: [],
						incremental: true,
						tsBuildInfoFile: 'dist/.tsbuildinfo',
						noLib: true,
					},
					include: ['room'],
				}),
			),
			// The least that the compiler wants to know: reading its own libraries takes seconds.
			project.write('room/globals.d.ts', globals.map((name) => `interface ${name} {}\n`).join('')),
			project.write('room/index.ts', 'export const answer: number = 42;\n'),
			project.write('node_modules/@tensorflow/tfjs-node-gpu/binding/addon.cc', '// nothing\n'),
			mkdir(project.env.PATH!, { recursive: true }),
		]);
		const packages = path.join(root, 'node_modules');
		await symlink(path.join(packages, 'typescript'), project.at('node_modules/typescript'));
		return project;
	}

	at(name: string): string {
		return path.join(this.folder, name);
	}

	async write(name: string, text: string): Promise<void> {
		await mkdir(path.dirname(this.at(name)), { recursive: true });
		await writeFile(this.at(name), text);
	}

	read(name: string): Promise<string> {
		return readFile(this.at(name), 'utf8');
	}

	/** Puts a shell script on the PATH of this project's commands. */
	async addProgram(name: string, script: string): Promise<void> {
		await this.write(`bin-on-path/${name}`, `#!/bin/sh\n${script}\n`);
		await chmod(this.at(`bin-on-path/${name}`), 0o755);
	}

	/** Gives set-up a nats-server and tells it to do without a native engine. */
	async needNothing(): Promise<void> {
		await this.addProgram('nats-server', 'echo nats-server: v2.15.1');
		this.env.RTIL_ENGINE = 'wasm';
	}

	/** Runs `node args` in the project with its environment and nothing else of ours. */
	node(...args: string[]): Promise<Outcome> {
		const options = { cwd: this.folder, env: this.env, timeout: 60_000 };
		return new Promise((resolve) => {
			execFile(process.execPath, args, options, (error, stdout, stderr) => {
				resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
			});
		});
	}

	async setUp(...flags: string[]): Promise<Outcome & { report: Report; part(name: string): Part }> {
		const outcome = await this.node('scripts/setup.mjs', '--json', ...flags);
		const report = JSON.parse(outcome.stdout) as Report;
		return { ...outcome, report, part: (name) => report.parts.find((part) => part.name === name)! };
	}
}
