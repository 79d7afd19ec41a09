// Floating-point operations of TensorFlow operations: what convolutions and matrix products need by definition (two for
// each multiplication with its addition). Elementwise work is not counted.

type Shape = readonly number[];

const product = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** FLOPs of one operation by its input and output shapes; 0 for those that are not counted. */
export function operationFlops(op: string, inputs: readonly Shape[], output: Shape): number {
	switch (op) {
		case 'Conv2D': {
			const [kh, kw, channels] = inputs[1] as number[];
			return 2 * product(output) * kh! * kw! * channels!;
		}
		case 'Conv2DBackpropInput': {
			const [kh, kw, channels] = inputs[1] as number[];
			return 2 * product(inputs[2]!) * kh! * kw! * channels!;
		}
		case 'Conv2DBackpropFilter': {
			const [kh, kw, channels] = output as number[];
			return 2 * product(inputs[2]!) * kh! * kw! * channels!;
		}
		case 'DepthwiseConv2dNative': {
			const [kh, kw] = inputs[1] as number[];
			return 2 * product(output) * kh! * kw!;
		}
		case 'MatMul':
		case 'BatchMatMul':
		case 'BatchMatMulV2': {
			// Of rows × inner times inner × columns: the inner size from the sizes of all three.
			const [a, b] = inputs as [Shape, Shape];
			const lead = product(output.slice(0, -2));
			return 2 * Math.sqrt((product(a) / lead) * (product(b) / lead) * (product(output) / lead)) * lead;
		}
		default:
			return 0;
	}
}
