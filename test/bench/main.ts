/** `npm run bench` measures every number of `docs/numbers.md` on this machine. It has no assertions. */
import { startMcpService } from '#test/mcp/mcp-service.ts';
import { setup as setupCache } from '#test/run-cache.ts';
import { setup } from '#test/synth.ts';
import { bundles } from './bundles.ts';
import { cost } from './cost.ts';
import { egress } from './egress.ts';
import { files } from './files.ts';
import { interrupts } from './interrupts.ts';
import { load } from './load.ts';
import { log } from './log.ts';
import { mcp } from './mcp.ts';
import { mcpCost } from './mcp-cost.ts';
import { bareTurnMs, overhead } from './overhead.ts';
import { previews } from './previews.ts';
import { introduction, machine, section } from './page.ts';
import { path } from './path.ts';
import { refreshStorm } from './refresh-storm.ts';
import { policy } from './policy.ts';
import { processor } from './processor.ts';
import { resume } from './resume.ts';
import { streams } from './streams.ts';
import { threads } from './threads.ts';

const dim = process.stderr.isTTY ? (text: string) => `\u001b[2m${text}\u001b[22m` : (text: string) => text;
const progress = (text: string) => void process.stderr.write(`${dim(`  ${text}`)}\n`);

/** Prints the page `docs/numbers.md`: `npm --silent run bench > docs/numbers.md`. */
function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

progress('synthesizing the template');
await setup();
process.on('exit', setupCache());

/** The parts in the page's order. `npm run bench -- Cost Interrupts` measures these two only. */
const OF_SERVICE = {
  'The path of one message': path,
  Overhead: overhead,
  'Processor time': processor,
  Previews: previews,
  Streams: streams,
  Interrupts: interrupts,
  Load: load,
  Files: files,
  Threads: threads,
  'MCP calls': mcp,
  Cost: cost,
  Bundles: bundles,
};
const BY_THEMSELVES = {
  Resume: resume,
  Log: log,
  Refresh: refreshStorm,
  Policy: policy,
  Egress: egress,
  'Cost of MCP calls': mcpCost,
};
/** The option `connect` makes the connect function part of the template. The bench itself never logs in. */
const LOGIN = { issuer: 'https://login.example.com', clientId: 'brainstem' };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((title) => !Object.keys({ ...OF_SERVICE, ...BY_THEMSELVES }).includes(title));
if (unknown.length > 0) throw new Error(`the bench has no part ${unknown.join(', ')}`);
const isWanted = (title: string) => wanted.length === 0 || wanted.includes(title);

const service = await startMcpService({ unchecked: true, props: { connect: LOGIN, idleStreamSeconds: 300 } });
const bareMs = await bareTurnMs(service);
const command = ['npm run bench', ...(wanted.length === 0 ? [] : ['--', ...wanted])].join(' ');
print(introduction({ machine: machine(), command, date: new Date().toISOString().slice(0, 10), bareMs }));
try {
  for (const [title, measure] of Object.entries(OF_SERVICE)) {
    if (!isWanted(title)) continue;
    print(section(title, await measure(service, progress), bareMs));
    // Streams go on after their clients have left, and would be part of what is measured next.
    await service.runtime.faults.kill('stream');
  }
} finally {
  await service.close();
}
for (const [title, measure] of Object.entries(BY_THEMSELVES)) {
  if (isWanted(title)) print(section(title, await measure(progress), bareMs));
}
