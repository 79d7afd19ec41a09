// rtil train FILE: one arm of an experiment in this process; no cluster.
import path from 'node:path';
import type { Command } from 'commander';
import { RtilError } from '../errors/index.ts';
import { datasetCache } from './folders.ts';
import { declare, engineOption, interruptible, outOption, print, wholeNumber } from './frame.ts';
import { showProgress } from './progress.ts';

interface TrainOptions {
	arm?: string;
	data?: string;
	steps?: number;
	engine?: 'auto' | 'gpu' | 'native' | 'wasm';
	threads?: number;
	debugNans?: boolean;
	out: string;
}

export function trainCommand(): Command {
	return declare(
		'train',
		'Trains one arm of an experiment file in this process, without a cluster. Stopped in between, the same command\ngoes on from its last checkpoint.',
		['rtil train examples/demo.yaml --arm rtil --steps 2000'],
	)
		.argument('<file>', 'experiment file (YAML)')
		.option('--arm <name>', 'which arm (default: the first)')
		.option('--data <path>', 'photographs to train on instead: a folder, a zip or a tar archive')
		.option('--steps <n>', "steps (default: the experiment's budget)", wholeNumber(1))
		.addOption(engineOption())
		.option('--threads <n>', 'threads of the engine (default: all cores)', wholeNumber(1, 1024))
		.option(
			'--debug-nans',
			'check every operation and name the first tensor that goes bad; many times slower',
		)
		.addOption(outOption())
		.action(async (file: string, options: TrainOptions) => {
			const { loadExperiment, needsCalibration, openArmRecord, runFileNames, stepsOf, trainingRecorder } =
				await import('../coordinator/index.ts');
			const { openDataset, prepareDataset } = await import('../data/index.ts');
			const { openEngine } = await import('../engine/index.ts');
			const { imagesPerStep, openQuality, secondsPerStep, trainArm } = await import('../trainer/index.ts');

			const experiment = await loadExperiment(file, options.data ? { data: options.data } : {});
			const index =
				options.arm === undefined ? 0 : experiment.arms.findIndex(({ name }) => name === options.arm);
			const arm = experiment.arms[index];
			if (!arm) {
				const names = experiment.arms.map(({ name }) => name).join(', ');
				throw new RtilError(
					'INVALID_INPUT',
					`Expected one of ${names} for --arm but received "${options.arm}"`,
				);
			}
			const { name, ...config } = arm;
			const dir = path.join(options.out, experiment.name);
			const progress = showProgress();
			await interruptible(async ({ signal }) => {
				let quality: Awaited<ReturnType<typeof openQuality>> | undefined;
				try {
					const engine = await openEngine(pick(options));
					// What is missing for it is said before the images are prepared.
					if (experiment.quality) quality = await openQuality(engine, experiment.quality);
					const prepared = await prepareDataset(experiment.data, {
						cache: datasetCache(),
						signal,
						onProgress: ({ done, total }) => progress.update({ bar: 'images', value: done, total, note: '' }),
					});
					using dataset = openDataset(prepared.file);
					progress.say(`Engine: ${engine.description}`);
					const { budget, arms, seed } = experiment;
					const timed = options.steps === undefined && needsCalibration(budget, arms.length);
					const costs = [];
					for (const { name: _, ...other } of arms) {
						const measured = timed
							? {
									secondsPerStep: await secondsPerStep({
										config: other,
										seed,
										dataset,
										engine,
										now: () => performance.now(),
									}),
								}
							: {};
						costs.push({ batch: imagesPerStep(other.training), ...measured });
					}
					const steps = options.steps ?? stepsOf(budget, costs)[index]!;
					await using record = await openArmRecord(dir, name);
					const recorder = trainingRecorder(record, Date.now);
					const result = await trainArm({
						run: experiment.name,
						arm: name,
						config,
						seed,
						steps,
						dataset,
						directory: path.join(dir, runFileNames.checkpoints(name)),
						checkpointEvery: experiment.checkpointEvery,
						keep: experiment.keep,
						onDivergence: experiment.onDivergence,
						...(quality ? { quality } : {}),
						sampleEvery: { steps: Math.max(1, Math.ceil(steps / 12)) },
						engine,
						signal,
						now: Date.now,
						emit: (event) => {
							recorder.take(event);
							if (event.type === 'log') progress.say(event.text);
							if (event.type !== 'progress') return;
							const losses = Object.entries(event.losses).map(([key, value]) => `${key} ${value.toFixed(3)}`);
							const note = [...losses, `${event.imagesPerSecond.toFixed(1)} img/s`].join('  ');
							progress.update({
								bar: name,
								value: event.step,
								total: steps,
								note,
								secondsLeft: event.secondsLeft,
							});
						},
					}).finally(recorder.settled);
					progress.stop();
					print(result.dir);
				} finally {
					quality?.dispose();
					progress.stop();
				}
			});
		});
}

function pick({
	engine,
	threads,
	debugNans,
}: TrainOptions): Pick<TrainOptions, 'engine' | 'threads' | 'debugNans'> {
	return {
		...(engine ? { engine } : {}),
		...(threads ? { threads } : {}),
		...(debugNans ? { debugNans } : {}),
	};
}
