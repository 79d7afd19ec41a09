// Which libtensorflow the native engine takes.
import test from 'ava';
import { requireKnownVersion } from '../../engine/native.ts';
import { RtilError } from '../../errors/index.ts';

test('a libtensorflow of another or an unknown version is refused with the remedy', (t) => {
	for (const version of ['2.9.1', '2.21.0', '2.22.0-rc1']) t.notThrows(() => requireKnownVersion(version));
	for (const version of ['1.15.5', '2.8.4', '3.0.0', 'custom', '']) {
		const error = t.throws(() => requireKnownVersion(version), { instanceOf: RtilError })!;
		t.is(error.code, 'ENVIRONMENT');
		t.regex(error.remedy, /npm run setup/);
	}
});
