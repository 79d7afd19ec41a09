// LPIPS against the reference, all three networks.
import { openEngine } from '../../engine/index.ts';
import { testGolden } from '../golden.ts';
import { expectLpips } from './lpips-networks.ts';

await openEngine();

testGolden('taps, distances and gradients of LPIPS equal the reference', 'lpips', expectLpips);
