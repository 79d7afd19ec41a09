// What set-up tells a person, on stderr: one line for each slow step, with its seconds, and one for each problem.

/** A failure that a person can mend: what is missing, what that costs, the one command that fixes it. */
export class Missing extends Error {
	/** @param {{cost?: string, remedy?: string, slow?: boolean}} details slow: found out only after a long wait. */
	constructor(what, { cost = '', remedy = '', slow = false } = {}) {
		super(what);
		this.name = 'Missing';
		this.cost = cost;
		this.remedy = remedy;
		this.slow = slow;
	}
}

export class Console {
	/** @param {{quiet?: boolean, stream?: NodeJS.WriteStream}} options quiet: problems only. */
	constructor({ quiet = false, stream = process.stderr } = {}) {
		this.quiet = quiet;
		this.stream = stream;
		this.live = !quiet && stream.isTTY === true;
	}

	line(text) {
		if (!this.quiet) this.stream.write(`${text}\n`);
	}

	problem({ name, detail, cost, remedy }) {
		const parts = [`${name}: ${detail}.`, cost && `${cost}.`, remedy && `To fix: ${remedy}`];
		this.stream.write(`${parts.filter(Boolean).join(' ')}\n`);
	}

	/** Runs a slow step behind the line `name  what … 12.3 s`; on a terminal the seconds count up. */
	async step(name, what, run) {
		const start = performance.now();
		const text = `${name.padEnd(9)} ${what} … `;
		const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
		const tick = this.live ? setInterval(() => this.stream.write(`\r${text}${seconds()}`), 1000) : undefined;
		if (!this.quiet) this.stream.write(text);
		let end = 'failed after ';
		try {
			const result = await run();
			end = '';
			return result;
		} finally {
			clearInterval(tick);
			if (this.live) this.stream.write(`\r${text}`);
			if (!this.quiet) this.stream.write(`${end}${seconds()}\n`);
		}
	}
}
