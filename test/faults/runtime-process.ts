/** `npm start` as a process of its own, which a test can kill. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chooseSandbox } from '#infra/local/tasks/choose-sandbox.ts';
import { CDK_OUT } from '#test/synth.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface RuntimeProcess {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly pid: number;
  kill(): Promise<void>;
  /** Stops it as Ctrl-C does, and returns the exit code. */
  interrupt(): Promise<number | null>;
}

export async function startProcess(data: string, modelUrl: string): Promise<RuntimeProcess> {
  // With a model key set, `npm start` uses plain processes only when they are chosen by name.
  const sandbox = await chooseSandbox({ asked: null, realModel: false });
  const options = ['--json', '--port', '0', '--data', data, '--cdk-out', CDK_OUT, '--sandbox', sandbox];
  const child = spawn(process.execPath, [join(ROOT, 'infra/local/start.ts'), ...options], {
    cwd: ROOT,
    env: { ...process.env, ANTHROPIC_API_KEY: 'sk-test', ANTHROPIC_BASE_URL: modelUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await firstLine(child);
  const ready = JSON.parse(line) as { ready: boolean; base_url: string; api_key: string };
  if (child.pid === undefined || !ready.ready) throw new Error('the runtime did not start');
  return {
    baseUrl: ready.base_url,
    apiKey: ready.api_key,
    pid: child.pid,
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    interrupt: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGINT');
      const [code] = await exited;
      return typeof code === 'number' ? code : null;
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the runtime has no output');
  const lines = createInterface({ input: child.stdout });
  const exited = once(child, 'exit').then(() => {
    throw new Error('the runtime ended before it was ready');
  });
  const [line] = await Promise.race([once(lines, 'line'), exited]);
  return String(line);
}
