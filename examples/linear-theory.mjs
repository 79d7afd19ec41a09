// Section 5 of the RTIL paper in numbers: how well ILO recovers signals of a two-layer linear model after each training.
//
//     npm run build && node examples/linear-theory.mjs

import { stream } from '../dist/engine/index.js';
import { linearTheory } from '../dist/models/index.js';

const { linearModel, normalMatrix, recover, trained, vanillaBound, vanillaError } = linearTheory;
const [n0, n1, nd, draws] = [5, 20, 100, 100];
const model = linearModel(n0, n1, nd, 1);
const random = stream(2, 'signals');

console.log(`Mean squared error of ${draws} signals of ${nd} numbers, ${n0} + ${n1} latents`);
console.log('measurements   vanilla   (in closed form)   (at least)   RTIL');
for (const m of [20, 25, 40, 60, 90]) {
	const a = normalMatrix(m, nd, random, m);
	const error = (training) => {
		const w1 = trained(model, training);
		let total = 0;
		for (let i = 0; i < draws; i++) {
			const { x, y } = linearTheory.signal(model, a, random, 1000 + i);
			const found = recover(model, w1, a, y, normalMatrix(n1, 1, random, 5000 + i));
			total += found.data.reduce((sum, value, k) => sum + (value - x.data[k]) ** 2, 0);
		}
		return total / draws;
	};
	const columns = [error('vanilla'), vanillaError(model, a), vanillaBound(model)].map((v) =>
		v.toFixed(1).padStart(12),
	);
	console.log(`${String(m).padStart(12)}${columns.join('')}   ${error('rtil').toExponential(1)}`);
}
