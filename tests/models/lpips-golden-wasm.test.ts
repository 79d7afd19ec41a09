// LPIPS against the reference on the engine that always works; the small network only, for time.
import { openEngine } from '../../engine/index.ts';
import { testGolden } from '../golden.ts';
import { expectLpips } from './lpips-networks.ts';

await openEngine({ engine: 'wasm', threads: 2 });

testGolden('LPIPS with SqueezeNet on wasm equals the reference', 'lpips', (t, f) => {
	if (f.config.net === 'squeeze') expectLpips(t, f);
});
