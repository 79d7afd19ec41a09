// PyTorch files both ways: a reader that builds tensors and plain data and runs nothing, and a writer of state
// dictionaries. Layouts of particular repositories are key maps over these. Start reading at reader.ts.
export { fromGlow, toGlow } from './glow.ts';
export { fromNvlabs, type NvlabsNetwork } from './nvlabs.ts';
export { readPickle } from './persistent.ts';
export { fromPggan, type PgganLayout, toPggan } from './pggan.ts';
export { type Plain, PythonObject } from './pickle.ts';
export { isTorchFile, readTorch, readWhole, stateDict, tensorsByPath } from './reader.ts';
export {
	type ExportOptions,
	fromRosinality,
	generatorOptions,
	noisesFromRosinality,
	type StyleGAN2Options,
	toRosinality,
} from './rosinality.ts';
export { TorchTensor } from './tensor.ts';
export { encodeTorch, type Writable } from './writer.ts';
