import * as z from 'zod';
import type { BrainstemProps } from '../brainstem.ts';
import { fieldsOf, required } from './fields.ts';
import { Options } from './options.ts';
import { OptionsError } from './parse-options.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Context of CDK itself. Every other name is the name of an option, so that a misspelt one is refused. */
const OF_CDK = /[:@/]|^(?:acknowledged-issue-numbers|cli-telemetry)$/;

/**
 * The options of an app: an object under the key `brainstem`, and over it single options by their names
 * (`-c sandbox.memoryMb=2048`). The CLI gives every value as text; text for an option that is none is read as JSON.
 * @returns what `parseOptions` parses
 * @throws OptionsError
 */
export function optionsOfContext({ brainstem = {}, ...context }: Fields): BrainstemProps {
  const named = Object.entries(context)
    .filter(([name]) => !OF_CDK.test(name))
    .map(([name, value]) => ({ path: name.split('.'), value }))
    // `connect` comes before `connect.issuer`.
    .toSorted((one, other) => one.path.length - other.path.length);
  const options = [{ path: [], value: brainstem }, ...named].reduce<unknown>(
    (all, { path, value }) => withValue(all, path, fromText(path, value)),
    {},
  );
  return options as BrainstemProps;
}

function withValue(options: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const fields: Fields = isFields(options) ? options : {};
  return { ...fields, [name]: withValue(fields[name], rest, value) };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is neither text by its schema nor JSON stays as it is: the schema says what it must be. */
function fromText(path: readonly string[], value: unknown): unknown {
  const schema = path.reduce<z.core.$ZodType | undefined>((at, name) => at && fieldsOf(at).get(name), Options);
  if (typeof value !== 'string' || schema === undefined || isText(required(schema))) return value;
  try {
    return JSON.parse(value);
  } catch {
    // The parser's message quotes the text.
    if (/^[[{]/.test(value)) throw new OptionsError(`Option ${path.join('.') || 'brainstem'} must be JSON`);
    return value;
  }
}

function isText(schema: z.core.$ZodType): boolean {
  if (schema instanceof z.ZodLiteral) return [...schema.values].every((value) => typeof value === 'string');
  return ['string', 'enum'].includes(schema._zod.def.type);
}
