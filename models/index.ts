// Networks as pure functions of (params, inputs). Imports engine and errors only. Start reading at contract.ts: a
// generator is what can start and stop at named cuts.
export type * from './contract.ts';
export { family, type Member, type RtilConfig, rtilSchema } from './rtil.ts';
export { type StyleGAN2Config, stylegan2Discriminator, stylegan2Generator } from './stylegan2.ts';
