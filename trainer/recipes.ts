// The recipe of any configuration.
import { requireKind } from './arm.ts';
import type { ArmConfig, ArmOf } from './config.ts';
import { glowRecipe } from './glow.ts';
import { pgganRecipe } from './pggan.ts';
import type { Recipe } from './recipe.ts';
import { stylegan2Recipe } from './stylegan2.ts';

/** Builds the recipe of an arm; throws INVALID_INPUT where its parts do not fit together. */
export function recipeOf(config: ArmConfig, seed: number, draws = seed): Recipe {
	requireKind(config);
	switch (config.model.kind) {
		case 'stylegan2':
			return stylegan2Recipe(config as ArmOf<'stylegan2'>, seed, draws);
		case 'pggan':
			return pgganRecipe(config as ArmOf<'pggan'>, seed, draws);
		case 'glow':
			return glowRecipe(config as ArmOf<'glow'>, seed, draws);
	}
}
