import test from 'ava';
import { type Plain, unpickle } from '../../../checkpoints/pytorch/pickle.ts';

const environment = { file: 'x.pkl', find: () => undefined };
const load = (text: string): Plain => unpickle(Buffer.from(text, 'latin1'), environment).value;

test('protocols 0 to 5 give plain data', (t) => {
	t.deepEqual(load("(lp0\nI1\naL2L\naF2.5\naI01\naNaS'text'\np1\naVe\\u00e9\nag1\na."), [
		1,
		2,
		2.5,
		true,
		null,
		'text',
		'eé',
		'text',
	]);
	t.deepEqual(load('(dp0\nI1\nI2\ns.'), new Map([[1, 2]]));
	t.deepEqual(
		load('\x80\x02}q\x00(K\x01\x8a\x02\x00\x80M\xff\xffJ\xff\xff\xff\xffu.'),
		new Map([
			[1, -32768],
			[65535, -1],
		]),
	);
	t.deepEqual(load('\x80\x02K\x01K\x02K\x03\x87K\x04\x85\x86.'), [[1, 2, 3], [4]]);
	t.deepEqual(
		load('\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8f\x94(\x8c\x01aC\x02bc\x90.'),
		new Set(['a', new Uint8Array([98, 99])]),
	);
	t.deepEqual(load('\x80\x04\x8c\x01a\x94h\x00\x86.'), ['a', 'a']);
	t.deepEqual(load('\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00.'), 1.5);
	t.deepEqual(load('\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00z.'), new Uint8Array([122]));
});

test('a list that holds itself is built and harmless', (t) => {
	const value = load('\x80\x02]q\x00h\x00a.') as Plain[];
	t.is(value[0], value);
});

test('anything that is not plain data is refused with its reason', (t) => {
	const cases: [string, RegExp][] = [
		['cos\nsystem\n.', /asks for "os\.system".*nothing was run/],
		['\x80\x04\x8c\x02os\x8c\x06system\x93.', /asks for "os\.system"/],
		['(S"x"\nios\nsystem\n.', /operation that is not allowed, 0x69/],
		['\x82\x01.', /not allowed, 0x82/],
		['\x80\x09.', /protocol 9/],
		['K', /cut short/],
		['\x80\x02X\xff\xff\xff\xffabc', /cut short/],
		['\x8e\xff\xff\xff\xff\xff\xff\xff\xff', /cut short/],
		['.', /takes what is not there/],
		['(K\x01(0000.', /takes what is not there/],
		['t.', /takes what is not there/],
		['h\x05.', /recalls item 5/],
		['K\x01K\x02a.', /no list/],
		['K\x01K\x02K\x03s.', /no dictionary/],
		['K\x01)R.', /cannot be called/],
		['K\x01Q.', /storages/],
		['Iabc\n.', /number is damaged/],
		[`I${'9'.repeat(5000)}\n.`, /number is damaged/],
		['\x8b\xff\xff\xff\x7f', /number has/],
	];
	for (const [text, message] of cases) t.throws(() => load(text), { code: 'CORRUPT', message }, text);
});
