// Other programs: found on PATH without starting them, run with their output kept for the case that they fail.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Absolute path of the first of `names` on PATH that can be executed, or undefined. */
export function which(...names) {
	for (const name of names) {
		for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
			const file = join(folder, name);
			try {
				accessSync(file, constants.X_OK);
				if (statSync(file).isFile()) return file;
			} catch {}
		}
	}
	return undefined;
}

export class CommandFailed extends Error {
	constructor(command, { code, stdout, stderr }) {
		super(`${command} ended with ${code}`);
		this.name = 'CommandFailed';
		this.stdout = stdout;
		this.stderr = stderr;
	}

	/** The line of the output that most likely says why. */
	get reason() {
		const lines = `${this.stdout}\n${this.stderr}`.split('\n').map((line) => line.trim());
		const told = lines.filter((line) => line !== '');
		return told.find((line) => /\berror\b/i.test(line)) ?? told.at(-1) ?? this.message;
	}
}

/** Runs a program to its end and gives its standard output; throws `CommandFailed` when it fails or is missing. */
export function run(program, args, { cwd, env } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, {
			cwd,
			env: { ...process.env, ...env },
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		const output = { stdout: '', stderr: '' };
		child.stdout.setEncoding('utf8').on('data', (text) => {
			output.stdout += text;
		});
		child.stderr.setEncoding('utf8').on('data', (text) => {
			output.stderr += text;
		});
		child.on('error', (error) =>
			reject(new CommandFailed(program, { ...output, code: error.code, stderr: error.message })),
		);
		child.on('close', (code, signal) => {
			if (code === 0) resolve(output.stdout);
			else reject(new CommandFailed(program, { ...output, code: code ?? signal }));
		});
	});
}

/** The command that installs a system package here, for a remedy. */
export function installCommand({ apt, dnf = apt, apk = apt, brew = apt }) {
	const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
	if (process.platform === 'darwin') return `brew install ${brew}`;
	if (which('dnf')) return `${sudo}dnf install -y ${dnf}`;
	if (which('apk')) return `${sudo}apk add ${apk}`;
	return `${sudo}apt-get install -y ${apt}`;
}
