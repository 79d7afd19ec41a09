import { openEngine } from '../../engine/index.ts';
import { augmentLaws } from './augment-laws.ts';

augmentLaws(await openEngine({ engine: 'wasm' }));
