// Networks of other code bases, in and out: layouts over the readers and key maps of pytorch/. Needs the networks
// themselves (names and shapes), so it is loaded when it is used. Start reading at contract.ts, then read.ts.
export type { ForeignCheckpoint, ImportOptions, MappedNetwork, MappedTensor } from './read.ts';
export { readForeign } from './read.ts';
export { type ForeignExport, writeForeign } from './write.ts';
