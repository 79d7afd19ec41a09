// problems: forward operators, the measurements they make, and files of them. One file per operator; adding one is a
// file and a line in `operators`. Start with operator.ts (the contract), then measurement.ts.

export { problemFileSchema, withProblemFiles } from './files.ts';
export { packMask } from './masks.ts';
export {
	decodeMeasurement,
	encodeMeasurement,
	holesOf,
	joinMeasurements,
	type Measurement,
	type Measurements,
	measure,
	measurementPicture,
	selectMeasurements,
} from './measurement.ts';
export { isNoisy, type Noise } from './noise.ts';
export { type ImageShape, type MeasurementKey, type Operator, pixels } from './operator.ts';
export { OperatorPrograms } from './programs.ts';
export {
	checkProblem,
	operatorFor,
	operators,
	type ProblemKind,
	type ProblemSpec,
	parseProblem,
	problemLevel,
	problemName,
	problemSchema,
} from './registry.ts';
