/** `npm start`: runs the service until it is told to stop. */
import { once } from 'node:events';
import { launch, type Launched } from './launch.ts';
import { stopSignal } from './stop-signals.ts';
import { readStartOptions, USAGE, type StartOptions } from './start-options.ts';
import { openTerminal } from './terminal.ts';

const result = openTerminal(process.stdout);
const screen = openTerminal(process.stderr);
const signal = stopSignal();

async function main(args: readonly string[]): Promise<void> {
  const options = readStartOptions(args);
  if (options.help) return void process.stdout.write(USAGE);
  const report = (message: string) => screen.line(screen.paint('yellow', message));
  const launched = await launch({ ...options, environment: process.env, signal, progress, report });
  screen.done();
  announce(launched, options);
  if (!signal.aborted) await once(signal, 'abort');
  progress('Stopping');
  await launched.close();
  screen.done();
}

function announce({ runtime, modelName }: Launched, { json }: StartOptions): void {
  const { baseUrl, apiKey, sandbox, data, resumed } = runtime;
  const redirectUrl = runtime.template.outputs['ConnectLoginRedirectUrl'];
  if (resumed > 0) screen.line(`Took up ${resumed} unfinished ${resumed === 1 ? 'run' : 'runs'}`);
  if (json) {
    const line = { ready: true, base_url: baseUrl, api_key: apiKey, model: modelName, sandbox, data };
    // Without `connect` there is none, and JSON leaves it out.
    return void process.stdout.write(`${JSON.stringify({ ...line, connect_login_redirect_url: redirectUrl })}\n`);
  }
  const rows = [
    ['Base URL', baseUrl],
    ['API key', apiKey],
    ['Model', modelName],
    ['Sandbox', sandbox],
    ['Data', data],
    ...(redirectUrl === undefined
      ? []
      : [['Redirect', `${redirectUrl} (to register at the identity provider)`] as const]),
  ] as const;
  const lines = rows.map(([label, value]) => `  ${result.paint('dim', label.padEnd(9))} ${value}`);
  result.line(`\n${result.paint(['bold', 'green'], 'Brainstem is ready')}\n\n${lines.join('\n')}\n`);
  result.line(result.paint('dim', 'Ctrl-C stops it; the next start continues on the same data.'));
}

/** A log has a line for each step; a terminal shows the present one. */
function progress(message: string): void {
  if (process.stderr.isTTY) screen.wait(message);
  else screen.line(`${message} …`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  // A signal that stops the program while it starts is no failure.
  if (!signal.aborted) fail(error);
}

function fail(error: unknown): void {
  screen.done();
  screen.line(screen.paint('red', error instanceof Error ? error.message : String(error)));
  process.exitCode = 1;
}
