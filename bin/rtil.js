#!/usr/bin/env node
// The `rtil` command; everything of it is in cli/.
import { existsSync } from 'node:fs';

const built = new URL('../dist/cli/index.js', import.meta.url);
if (existsSync(built)) {
	await import(built.href);
} else {
	console.error('rtil is not built yet. To fix: npm run setup');
	process.exitCode = 3;
}
