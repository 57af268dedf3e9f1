/** Settings of a function: read once at start, and a missing one stops it there, by name. */
import type * as z from 'zod';
import { Fault } from '#core/ports/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export function setting(environment: Environment, name: string): string {
  const value = environment[name];
  if (value === undefined || value === '')
    throw new Fault('setting_missing', `the setting ${name} is missing or empty`);
  return value;
}

/** How many of something per minute; null for `unlimited`, which has to be said. */
export function rateSetting(environment: Environment, name: string): number | null {
  const value = setting(environment, name);
  if (value === 'unlimited') return null;
  const perMinute = Number(value);
  if (Number.isSafeInteger(perMinute) && perMinute > 0) return perMinute;
  throw new Fault('setting_missing', `the setting ${name} is neither "unlimited" nor a positive integer`);
}

export function urlSetting(environment: Environment, name: string): string {
  const value = setting(environment, name);
  if (!/^https?:$/.test(URL.parse(value)?.protocol ?? '')) {
    throw new Fault('setting_missing', `the setting ${name} is not an http or https URL`);
  }
  return value;
}

/** Where a service of AWS answers; `AWS_ENDPOINT_URL…` are the SDK's own variables, for what it is not used for. */
export function serviceEndpoint(environment: Environment, service: 's3' | 'lambda', region: string): string {
  return (
    environment[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ??
    environment['AWS_ENDPOINT_URL'] ??
    `https://${service}.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
  );
}

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The function's own role, as Lambda hands it over. */
export function roleCredentials(environment: Environment): RoleCredentials {
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  return {
    accessKeyId: setting(environment, 'AWS_ACCESS_KEY_ID'),
    secretAccessKey: setting(environment, 'AWS_SECRET_ACCESS_KEY'),
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

/** A malformed one stops the function: an entry that was left out could be the one that somebody relies on. */
export function jsonSetting<Schema extends z.ZodType>(
  environment: Environment,
  name: string,
  schema: Schema,
): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(setting(environment, name)));
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('setting_missing', `the setting ${name} does not have its shape`, { cause });
  }
}
