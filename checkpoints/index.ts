// What is saved, where, under which name: folders of safetensors files with a manifest, written whole or not at all and
// checked when read. May import errors and the engine's contract. Start reading at manifest.ts, then folder.ts.
export {
	assembleCheckpoint,
	checkpointFiles,
	readGroup,
	readManifest,
	verifyCheckpoint,
	writeCheckpoint,
} from './folder.ts';
export {
	type CheckpointFields,
	type CheckpointManifest,
	checkpointId,
	checkpointManifest,
	parseManifest,
	requireArchitecture,
} from './manifest.ts';
export {
	type ExportOptions,
	encodeTorch,
	fromRosinality,
	generatorOptions,
	noisesFromRosinality,
	type Plain,
	PythonObject,
	readTorch,
	type StyleGAN2Options,
	stateDict,
	TorchTensor,
	tensorsByPath,
	toRosinality,
	type Writable,
} from './pytorch/index.ts';
export {
	applyRetention,
	checkpointName,
	latestCheckpoint,
	listCheckpoints,
	type Retention,
	retentionSchema,
	type StoredCheckpoint,
} from './retention.ts';
export {
	bfloatToNumber,
	decodeSafetensors,
	encodeSafetensors,
	halfToNumber,
	readSafetensorsHeader,
	safetensorsParts,
} from './safetensors.ts';
export { exportTorch, type ImportReport, importTorch, type TransferOptions } from './transfer.ts';
export {
	type AddWeightsOptions,
	addWeights,
	knownWeights,
	loadFace,
	loadInception,
	loadPerceptual,
	loadPristine,
	type WeightsManifest,
	type WeightsOptions,
	weightsFolder,
} from './weights.ts';
