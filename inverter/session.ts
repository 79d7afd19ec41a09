// What a worker keeps between calls: the engine, the priors used last, captured programs.
import { z } from 'zod';
import { loadFace, loadPerceptual, loadPristine } from '../checkpoints/index.ts';
