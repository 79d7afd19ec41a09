// A x, Aᵀ y and the measurement of every problem of the table, on the engine named by the first argument; the numbers
// go to the parent.
import { type EngineName, openEngine, stream } from '../../engine/index.ts';
import {
	measure,
	OperatorPrograms,
	operatorFor,
	parseProblem,
	pixels,
} from '../../inverter/problems/index.ts';
import { image, keys, table } from './operator-table.ts';

const engine = await openEngine({ engine: process.argv[2] as EngineName, threads: 1 });
const programs = new OperatorPrograms(engine);
const x = {
	shape: [keys.length, image.height, image.width, image.channels],
	data: stream(1, 'x').normals(0, keys.length * pixels(image)),
};
const numbers: Record<string, Float32Array> = {};
for (const [json] of table) {
	const spec = parseProblem(json);
	const parameters = operatorFor(spec).parameters(spec as never, image, keys);
	const Ax = programs.apply(spec, parameters, x);
	const y = { shape: Ax.shape, data: stream(2, 'y').normals(0, Ax.data.length) };
	const name = JSON.stringify(json);
	numbers[`${name}: A x`] = Ax.data;
	numbers[`${name}: Aᵀ y`] = programs.adjoint(spec, parameters, y, image).data;
	// Counts of photons jump where A x differs by a rounding.
	if (spec.noise?.kind !== 'poisson') numbers[`${name}: measured`] = measure(programs, spec, x, keys).y.data;
}
process.send!(numbers, () => process.exit());
