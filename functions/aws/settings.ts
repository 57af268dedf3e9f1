/** Settings of a function: read once at start, and a missing one stops it there, by name. */
import { Fault } from '#core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export function setting(environment: Environment, name: string): string {
  const value = environment[name];
  if (value === undefined || value === '')
    throw new Fault('setting_missing', `the setting ${name} is missing or empty`);
  return value;
}

export function urlSetting(environment: Environment, name: string): string {
  const value = setting(environment, name);
  if (!/^https?:$/.test(URL.parse(value)?.protocol ?? '')) {
    throw new Fault('setting_missing', `the setting ${name} is not an http or https URL`);
  }
  return value;
}
