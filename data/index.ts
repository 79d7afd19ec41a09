// Images in, batches out: folders, archives and drawn faces, prepared once into a file that training reads at any
// place; single images at the border. May import errors and engine/random. Start reading at prepare.ts, then dataset.ts.
export { fromBuffer, openFile, type RandomAccess } from './archive/access.ts';
export { openZip, type ZipEntry } from './archive/zip.ts';
export { type Dataset, openDataset } from './dataset.ts';
export { type GenerateFacesOptions, generateFaces } from './faces/folder.ts';
export { drawFace } from './faces/index.ts';
export {
	type DecodeOptions,
	decodeImage,
	encodePng,
	fromByte,
	type GridOptions,
	type Image,
	imageGrid,
	splitBatch,
	toBytes,
} from './image.ts';
export { type PreparedDataset, type PrepareOptions, prepareDataset, type Skipped } from './prepare.ts';
export { type BatchPlan, batchFlips, batchIndices, batchSampler } from './sampling.ts';
export { type DataSpec, dataSpec, type FacesSpec, type FolderSpec } from './spec.ts';
