// The engine: tensors, programs over them, ops with gradients of every order, counter-based randomness, optimisers.
// Imports nothing of the project but errors. Start reading at contract.ts, then open.ts.
export type * from './contract.ts';
export { type Descent, type DescentState, type HostAdamSettings, hostAdam, type Told } from './descent.ts';
export { linear, valueAndGradients, vectorJacobian, withGradients } from './gradients.ts';
export { type LbfgsSettings, lbfgs } from './lbfgs.ts';
export { openEngine } from './open.ts';
export { biasLeakyRelu, leakyRelu, pixelNorm } from './ops/activation.ts';
export { type AffineOptions, affineSample } from './ops/affine.ts';
export { conv2d, conv2dTranspose, type Padding } from './ops/convolution.ts';
export { circularConvolve } from './ops/fourier.ts';
export { blurForStride2, type ModulationOptions, modulatedConv2d } from './ops/modulated.ts';
export { type MaxPoolOptions, maxPool } from './ops/pooling.ts';
export { alongAxes, type ResizeFilter, type ResizeOptions, resize, resizeMatrix } from './ops/resize.ts';
export { minibatchStddev } from './ops/stddev.ts';
export {
	binomial,
	downsample2,
	type FirKernel,
	firKernel,
	type UpfirdnOptions,
	upfirdn2d,
	upsample2,
} from './ops/upfirdn.ts';
export { type AdamSettings, type AdamState, adam, adamStep, lazyAdam } from './optimizers.ts';
export { type ParameterLayout, parameterLayout } from './parameters.ts';
export { elements } from './program.ts';
export { type RandomStream, stream } from './random.ts';
