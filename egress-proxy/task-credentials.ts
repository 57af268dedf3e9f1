/**
 * The credentials of the task's role, where AWS's SDKs look for them in a container: ECS names a path at its own address,
 * and other platforms a whole URL with a token. They are asked for again before they expire.
 */
import * as z from 'zod';

interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const ECS_ADDRESS = 'http://169.254.170.2';
const ANSWER_MS = 5_000;
const RENEW_BEFORE_MS = 5 * 60_000;

const Answer = z.object({
  AccessKeyId: z.string(),
  SecretAccessKey: z.string(),
  Token: z.string(),
  Expiration: z.iso.datetime({ offset: true }),
});

export function taskCredentials(
  env: Readonly<Record<string, string | undefined>>,
  now: () => number = Date.now,
): () => Promise<RoleCredentials> {
  let kept: { readonly credentials: RoleCredentials; readonly until: number } | null = null;
  return async () => {
    const given = givenIn(env);
    if (given !== null) return given;
    if (kept === null || kept.until <= now()) kept = await read(env);
    return kept.credentials;
  };
}

function givenIn(env: Readonly<Record<string, string | undefined>>): RoleCredentials | null {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env;
  if (accessKeyId === undefined || secretAccessKey === undefined) return null;
  return { accessKeyId, secretAccessKey, ...(token !== undefined && { sessionToken: token }) };
}

async function read(env: Readonly<Record<string, string | undefined>>) {
  const path = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const url = path === undefined ? env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] : `${ECS_ADDRESS}${path}`;
  if (url === undefined) throw new Error('the task has no role');
  const authorization = env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  const response = await fetch(url, {
    headers: authorization === undefined ? {} : { authorization },
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!response.ok) throw new Error(`the credentials of the task's role were answered with ${response.status}`);
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = Answer.parse(await response.json());
  return {
    credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token },
    until: Date.parse(Expiration) - RENEW_BEFORE_MS,
  };
}
