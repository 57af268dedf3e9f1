/** `npm run bench`: every number the README states, measured here and now. Nothing in here passes or fails. */
import { cpus, totalmem } from 'node:os';
import { startService } from '#test/journeys/service.ts';
import { setup } from '#test/synth.ts';
import { bundles } from './bundles.ts';
import { load } from './load.ts';
import { log } from './log.ts';
import { overhead } from './overhead.ts';
import { path } from './path.ts';
import { resume } from './resume.ts';

const dim = process.stderr.isTTY ? (text: string) => `\u001b[2m${text}\u001b[22m` : (text: string) => text;
const progress = (text: string) => void process.stderr.write(`${dim(`  ${text}`)}\n`);

function print(title: string, text: string): void {
  process.stdout.write(`\n### ${title}\n\n${text}\n`);
}

progress('synthesizing the template');
await setup();
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
process.stdout.write(`## Numbers of ${new Date().toISOString().slice(0, 10)}\n\n${machine}\n`);

const service = await startService({ unchecked: true });
try {
  print('The path of one message', await path(service));
  print('Overhead', await overhead(service, progress));
  print('Load', await load(service, progress));
  print('Bundles', bundles(service));
} finally {
  await service.close();
}
print('Resume', await resume(progress));
print('Log', await log(progress));
