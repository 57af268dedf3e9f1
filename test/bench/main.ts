/** `npm run bench`: every number the README states, measured here and now. Nothing in here passes or fails. */
import { cpus, totalmem } from 'node:os';
import { startMcpService } from '#test/mcp/mcp-service.ts';
import { setup } from '#test/synth.ts';
import { bundles } from './bundles.ts';
import { cost } from './cost.ts';
import { interrupts } from './interrupts.ts';
import { load } from './load.ts';
import { log } from './log.ts';
import { mcp } from './mcp.ts';
import { mcpCost } from './mcp-cost.ts';
import { overhead } from './overhead.ts';
import { previews } from './previews.ts';
import { path } from './path.ts';
import { refreshStorm } from './refresh-storm.ts';
import { policy } from './policy.ts';
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

/** In the README's order. `npm run bench -- Cost Interrupts` measures these only. */
const OF_SERVICE = {
  'The path of one message': path,
  Overhead: overhead,
  Previews: previews,
  Interrupts: interrupts,
  Load: load,
  Mcp: mcp,
  Cost: cost,
  Bundles: bundles,
};
const BY_THEMSELVES = { Resume: resume, Log: log, Refresh: refreshStorm, Policy: policy, 'Mcp cost': mcpCost };
/** Nobody logs in: that the pages are there is what makes them load. */
const LOGIN = { issuer: 'https://login.example.com', clientId: 'brainstem' };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((title) => !Object.keys({ ...OF_SERVICE, ...BY_THEMSELVES }).includes(title));
if (unknown.length > 0) throw new Error(`the bench has no part ${unknown.join(', ')}`);
const isWanted = (title: string) => wanted.length === 0 || wanted.includes(title);

const service = await startMcpService({ unchecked: true, props: { connect: LOGIN } });
try {
  for (const [title, measure] of Object.entries(OF_SERVICE)) {
    if (isWanted(title)) print(title, await measure(service, progress));
  }
} finally {
  await service.close();
}
for (const [title, measure] of Object.entries(BY_THEMSELVES)) {
  if (isWanted(title)) print(title, await measure(progress));
}
