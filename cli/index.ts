// The `rtil` command: thin. Each command is one file that reads its options and calls the rooms; how commands are
// declared and fail is in frame.ts. May import everything; nothing imports this. Start reading at program.ts.
import { main } from './program.ts';

process.exitCode = await main(process.argv);
