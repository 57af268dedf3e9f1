/**
 * Credentials of task roles, where AWS's SDKs look for them in a container: ECS serves them at an address of its own, and
 * this runtime at a URL with a token that only the task's container knows. The endpoint judges calls by the role's policy.
 */
import { randomBytes } from 'node:crypto';
import type { AwsEndpoint } from '../aws/service.ts';
import { serveLoopback } from '../loopback.ts';

/** As long as in ECS. */
const LIFETIME_MS = 6 * 3_600_000;

interface Holder {
  readonly taskId: string;
  readonly roleArn: string;
  readonly token: string;
}

export interface TaskCredentials {
  /** Variables of the container of a task with a role. */
  give(task: { readonly taskId: string; readonly roleArn: string }): Promise<Readonly<Record<string, string>>>;
  /** A task that has ended gets none any more. */
  forget(taskId: string): void;
  close(): Promise<void>;
}

/** @param endpoint known when AWS has started, which has the tasks among its services */
export async function serveTaskCredentials(endpoint: Promise<AwsEndpoint>): Promise<TaskCredentials> {
  const holders = new Map<string, Holder>();
  const server = await serveLoopback(async ({ url = '', headers }, response) => {
    const holder = holders.get(url);
    if (holder === undefined || headers.authorization !== holder.token) return void response.writeHead(403).end();
    const { taskId, roleArn } = holder;
    const caller = { functionName: taskId, roleArn, worker: taskId };
    const { accessKeyId, secretAccessKey } = (await endpoint).credentialsFor(caller);
    const answer = {
      RoleArn: roleArn,
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      Token: 'local',
      Expiration: new Date(Date.now() + LIFETIME_MS).toISOString(),
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  return {
    async give({ taskId, roleArn }) {
      const token = randomBytes(32).toString('base64url');
      const path = `/v2/credentials/${taskId}`;
      holders.set(path, { taskId, roleArn, token });
      return {
        AWS_ENDPOINT_URL: (await endpoint).url,
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}${path}`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
      };
    },
    forget: (taskId) => void holders.delete(`/v2/credentials/${taskId}`),
    close: server.close,
  };
}
