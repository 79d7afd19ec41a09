// The worker process of an inverter node: owns the tensors, does one call at a time. Started by the supervisor.
import { serveWorker } from '../bus/index.ts';
import { openEngine } from '../engine/index.ts';
import { evaluate } from './evaluate.ts';
import { invert, sample } from './invert.ts';
import { InversionSession } from './session.ts';

const threads = process.env.RTIL_THREADS ? { threads: Number(process.env.RTIL_THREADS) } : {};
const engine = await openEngine(threads);
const session = new InversionSession(engine);

serveWorker(
	{
		evaluate: (payload: unknown, context) => evaluate(session, payload, context),
		invert: (payload: unknown, context) => invert(session, payload, context),
		sample: (payload: unknown) => sample(session, payload),
	},
	{ describe: () => ({ engine: engine.description }) },
);
