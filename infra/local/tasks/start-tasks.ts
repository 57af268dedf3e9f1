import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { AwsEndpoint } from '../aws/service.ts';
import type { LogFiles } from '../lambda/log-files.ts';
import type { Template } from '../template/parts.ts';
import { createTaskRunner } from './choose-sandbox.ts';
import { createEcsService, type EcsService } from './ecs.ts';
import { endLeftovers } from './leftovers.ts';
import type { SandboxKind } from './runner.ts';
import { serveTaskCredentials } from './task-credentials.ts';

interface TasksOptions {
  readonly template: Template;
  readonly sandbox: SandboxKind;
  /** How many tasks run at once; ECS has no capacity for more. */
  readonly maxTasks: number;
  readonly maxDiskBytes?: number | undefined;
  readonly data: string;
  /** Known after the start of AWS, of which the tasks are a part. */
  readonly endpoint: Promise<AwsEndpoint>;
  readonly logs: LogFiles;
  readonly report: (message: string) => void;
}

/** Removes what a killed runtime left: its tasks, and the folders of its tasks. */
export async function startTasks({
  template,
  sandbox,
  maxTasks,
  maxDiskBytes,
  data,
  endpoint,
  logs,
  report,
}: TasksOptions): Promise<EcsService> {
  const folder = join(data, 'tasks');
  await endLeftovers(folder);
  rmSync(folder, { recursive: true, force: true });
  const containers = template.tasks.flatMap(({ containers }) => containers);
  for (const { port } of containers) if (port > 0) await checkTaskPort(port);
  const runner = await createTaskRunner(sandbox, containers, { data, report });
  const credentials = await serveTaskCredentials(endpoint);
  const { write } = logs;
  const service = createEcsService({ template, runner, maxTasks, maxDiskBytes, credentials, folder, write, report });
  return {
    ...service,
    async close() {
      await service.close();
      await credentials.close();
    },
  };
}

/** Tasks have addresses of their own and the same port; a program that listens on every address takes it from all of them. */
async function checkTaskPort(port: number): Promise<void> {
  const server = createServer();
  // Any address, so that two runtimes that start at the same moment do not take it from each other. Tasks have others.
  const address = `127.63.${randomInt(256)}.${randomInt(1, 255)}`;
  try {
    await new Promise<void>((free, taken) => server.once('error', taken).listen(port, address, free));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    const message = `Sandboxes need port ${port} on loopback addresses (127.x.y.z), which does not work here (${code}). `;
    throw new Error(
      `${message}Another program may listen on port ${port} of every address: stop it, or bind it to 127.0.0.1.`,
      { cause },
    );
  }
  await new Promise((closed) => server.close(closed));
}
