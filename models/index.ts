// Networks as pure functions of (params, inputs). Imports engine and errors only. Start reading at contract.ts: a
// generator is what can start and stop at named cuts.
export {
	type Architecture,
	architectureSchema,
	discriminatorOf,
	type GanArchitecture,
	type GlowArchitecture,
	generatorOf,
	glowArchitecture,
	glowOf,
	type PgganArchitecture,
	pgganArchitecture,
	stylegan2Architecture,
} from './architecture.ts';
export type * from './contract.ts';
export {
	type FaceInput,
	type FaceNetwork,
	type FaceRange,
	type FaceWeights,
	faceImages,
} from './face.ts';
export {
	bitsPerDimension,
	dequantised,
	type Glow,
	type GlowCode,
	type GlowConfig,
	glow,
	glowAdditive64,
	luParameters,
} from './glow.ts';
export { INCEPTION_FEATURES, type Inception, type InceptionConfig, inception } from './inception.ts';
export { type IresnetConfig, iresnet, iresnetName } from './iresnet.ts';
export {
	deviation,
	everyLayer,
	type LatentStatistics,
	latentFromGroup,
	latentGroup,
	latentStatistics,
	noNoise,
	type StatisticsOptions,
} from './latent-statistics.ts';
export * as linearTheory from './linear-theory.ts';
export {
	featureDistance,
	type Lpips,
	type LpipsConfig,
	type LpipsVersion,
	type LpipsWeights,
	lpips,
	lpipsVersions,
} from './lpips.ts';
export { mixCodes, mixtureCut, mixtureState } from './mixture.ts';
export {
	type OnnxAttribute,
	type OnnxGraph,
	type OnnxNetwork,
	type OnnxNode,
	onnxNetwork,
} from './onnx.ts';
export {
	type PerceptualBackbone,
	type PerceptualNetwork,
	perceptualBackbone,
	perceptualNetworks,
} from './perceptual.ts';
export {
	type PgganConfig,
	type PgganDiscriminator,
	type PgganGenerator,
	pgganDiscriminator,
	pgganGenerator,
	pgganRtil,
} from './pggan.ts';
export { average2, nearest2, type PgganDialect } from './pggan-dialects.ts';
export { modelPresets } from './presets.ts';
export {
	commonCuts,
	family,
	type Member,
	type MixtureConfig,
	type RtilConfig,
	regularised,
	rtilSchema,
	sigmas,
} from './rtil.ts';
export { type StyleGAN2Config, stylegan2Discriminator, stylegan2Generator } from './stylegan2.ts';
