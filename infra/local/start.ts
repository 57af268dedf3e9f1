/** `npm start`: runs the service until it is told to stop. */
import { once } from 'node:events';
import { styleText } from 'node:util';
import { launch, type Launched } from './launch.ts';
import { stopSignal } from './stop-signals.ts';
import { readStartOptions, USAGE, type StartOptions } from './start-options.ts';

type Style = Parameters<typeof styleText>[0];

/** Colours only in a terminal. */
const style = (stream: NodeJS.WriteStream, format: Style, text: string): string =>
  styleText(format, text, { stream, validateStream: true });

const signal = stopSignal();

async function main(args: readonly string[]): Promise<void> {
  const options = readStartOptions(args);
  if (options.help) return void process.stdout.write(USAGE);
  const launched = await launch({ ...options, environment: process.env, signal, progress, report });
  announce(launched, options);
  if (!signal.aborted) await once(signal, 'abort');
  progress('Stopping');
  await launched.close();
}

function announce({ runtime, modelName }: Launched, { json }: StartOptions): void {
  const { baseUrl, apiKey, sandbox, data, resumed } = runtime;
  const redirectUrl = runtime.template.outputs['ConnectLoginRedirectUrl'];
  if (resumed > 0) progress(`Took up ${resumed} unfinished ${resumed === 1 ? 'run' : 'runs'}`);
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
  const lines = rows.map(([label, value]) => `  ${style(process.stdout, 'dim', label.padEnd(9))} ${value}`);
  process.stdout.write(
    `\n${style(process.stdout, ['bold', 'green'], 'Brainstem is ready')}\n\n${lines.join('\n')}\n\n`,
  );
  process.stdout.write(
    `${style(process.stdout, 'dim', 'Ctrl-C stops it; the next start continues on the same data.')}\n`,
  );
}

function progress(message: string): void {
  process.stderr.write(`${style(process.stderr, 'dim', `${message} …`)}\n`);
}

function report(message: string): void {
  process.stderr.write(`${style(process.stderr, 'yellow', message)}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  // A signal that stops the program while it starts is no failure.
  if (!signal.aborted) fail(error);
}

function fail(error: unknown): void {
  process.stderr.write(`${style(process.stderr, 'red', error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = 1;
}
