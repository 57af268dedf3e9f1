/** Settings of a function: read once at start, and a missing one stops it there, by name. */
import type * as z from 'zod';
import { Fault } from '#core/ports/errors.ts';

/** The environment of the process. */
export type Env = Readonly<Record<string, string | undefined>>;

export function setting(env: Env, name: string): string {
  const value = env[name];
  if (value === undefined || value === '')
    throw new Fault('setting_missing', `the setting ${name} is missing or empty`);
  return value;
}

/** How many of something per minute; null for `unlimited`, which has to be said. */
export function rateSetting(env: Env, name: string): number | null {
  const value = setting(env, name);
  if (value === 'unlimited') return null;
  const perMinute = Number(value);
  if (Number.isSafeInteger(perMinute) && perMinute > 0) return perMinute;
  throw new Fault('setting_missing', `the setting ${name} is neither "unlimited" nor a positive integer`);
}

export function countSetting(env: Env, name: string): number {
  const count = Number(setting(env, name));
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new Fault('setting_missing', `the setting ${name} is not a positive integer`);
}

export function urlSetting(env: Env, name: string): string {
  const value = setting(env, name);
  if (!/^https?:$/.test(URL.parse(value)?.protocol ?? '')) {
    throw new Fault('setting_missing', `the setting ${name} is not an http or https URL`);
  }
  return value;
}

/** Where a service of AWS answers; `AWS_ENDPOINT_URL…` are the SDK's own variables, for what it is not used for. */
export function serviceEndpoint(env: Env, service: 's3' | 'lambda' | 'states', region: string): string {
  return (
    env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ??
    env['AWS_ENDPOINT_URL'] ??
    `https://${service}.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
  );
}

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The function's own role, as Lambda hands it over. */
export function roleCredentials(env: Env): RoleCredentials {
  const sessionToken = env['AWS_SESSION_TOKEN'];
  return {
    accessKeyId: setting(env, 'AWS_ACCESS_KEY_ID'),
    secretAccessKey: setting(env, 'AWS_SECRET_ACCESS_KEY'),
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

/** A malformed one stops the function: an entry that was left out could be the one that protects something. */
export function jsonSetting<Schema extends z.ZodType>(env: Env, name: string, schema: Schema): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(setting(env, name)));
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('setting_missing', `the setting ${name} does not have its shape`, { cause });
  }
}
