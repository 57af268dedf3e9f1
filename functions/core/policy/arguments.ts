/**
 * A call's arguments as policies see them. The model wrote them, so each becomes a plain value: never an entity, never of a
 * type that differs from the tool's schema, and never a value on which the evaluation of a policy fails.
 */
import { MAX_ARGUMENT_DEPTH, type ArgumentField, type ArgumentType } from '#core/policy/argument-types.ts';
import type { CedarValue } from '#core/policy/cedar-request.ts';

/** `why` is for the model. When the arguments cannot be judged, the call is denied. */
type Arguments =
  | { readonly status: 'normal'; readonly args: Record<string, CedarValue>; readonly bytes: number }
  | { readonly status: 'unjudged'; readonly why: string };

const MAX_ARGUMENT_BYTES = 256 * 1024;

/** A Cedar decimal has four places and 64 bits. */
const DECIMAL = /^-?\d+(?:\.\d{1,4})?$/;
const MAX_DECIMAL = 922_337_203_685_477;

/** A value that policies can compare only with itself. It is an entity: no argument can become one and imitate it. */
const opaque = (what: 'number' | 'text'): CedarValue => ({ __entity: { type: 'MA::Opaque', id: what } });

class Unjudged extends Error {}

/** Null counts as absent. `fields` are those of the tool's pinned schema; other arguments keep the type they have. */
export function normalizeArguments(
  input: Readonly<Record<string, unknown>>,
  fields: ReadonlyMap<string, ArgumentField>,
): Arguments {
  const bytes = new TextEncoder().encode(JSON.stringify(input)).length;
  if (bytes > MAX_ARGUMENT_BYTES)
    return { status: 'unjudged', why: `the arguments have more than ${MAX_ARGUMENT_BYTES} bytes` };
  try {
    return { status: 'normal', args: recordOf(input, fields, []), bytes };
  } catch (error) {
    if (error instanceof Unjudged) return { status: 'unjudged', why: error.message };
    throw error;
  }
}

/**
 * Cedar gives `__entity` and `__extn` a meaning of their own. Policies find the argument `__x`, and only that one, as
 * `context.args["raw:__x"]`.
 */
export function argumentName(name: string): string {
  return name.startsWith('__') || name.startsWith('raw:') ? `raw:${name}` : name;
}

function recordOf(
  value: object,
  fields: ReadonlyMap<string, ArgumentField>,
  path: readonly string[],
): Record<string, CedarValue> {
  const present = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  const names = new Set(present.map(([name]) => name));
  const missing = [...fields].find(([name, { required }]) => required && !names.has(name));
  if (missing !== undefined) throw new Unjudged(`the argument ${nameOf([...path, missing[0]])} is missing`);
  if (present.some(([name]) => !name.isWellFormed())) throw new Unjudged('the name of an argument is no text');
  const entries = present.map(([name, item]) => [
    argumentName(name),
    valueOf(item, fields.get(name)?.type ?? { kind: 'any' }, [...path, name]),
  ]);
  return Object.fromEntries(entries) as Record<string, CedarValue>;
}

function valueOf(value: unknown, type: ArgumentType, path: readonly string[]): CedarValue {
  if (path.length > MAX_ARGUMENT_DEPTH)
    throw new Unjudged(`the arguments are nested more than ${MAX_ARGUMENT_DEPTH} deep`);
  if (type.kind !== 'any' && !isOf(value, type.kind)) {
    throw new Unjudged(
      `the argument ${nameOf(path)} is not of the type ${type.kind}, which the tool’s schema gives it`,
    );
  }
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : opaque('text');
    case 'boolean':
      return value;
    case 'number':
      return numberOf(value, type.kind === 'number' ? 'decimal' : 'either');
    case 'object':
      return Array.isArray(value) ? itemsOf(value, type, path) : recordOf(value ?? {}, fieldsOf(type), path);
    default:
      throw new Unjudged(`the argument ${nameOf(path)} is no JSON`);
  }
}

/** Drops null from a list: a Cedar set cannot hold it. */
function itemsOf(values: readonly unknown[], type: ArgumentType, path: readonly string[]): CedarValue[] {
  const item: ArgumentType = type.kind === 'array' ? type.item : { kind: 'any' };
  return values.filter((one) => one !== null).map((one) => valueOf(one, item, [...path, '[]']));
}

/**
 * An argument that the schema calls a number is always a decimal, also without a fraction, so that a policy can compare
 * every value of it. A number that fits neither of Cedar's types becomes opaque.
 */
function numberOf(value: number, as: 'decimal' | 'either'): CedarValue {
  if (as === 'either' && Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  const text = String(value === 0 ? 0 : value);
  if (!DECIMAL.test(text) || Math.abs(value) > MAX_DECIMAL) return opaque('number');
  return { __extn: { fn: 'decimal', arg: text.includes('.') ? text : `${text}.0` } };
}

function isOf(value: unknown, kind: Exclude<ArgumentType['kind'], 'any'>): boolean {
  switch (kind) {
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === kind;
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && !Array.isArray(value);
    default:
      return kind satisfies never;
  }
}

function fieldsOf(type: ArgumentType): ReadonlyMap<string, ArgumentField> {
  return type.kind === 'object' ? type.fields : new Map();
}

/** The name comes from the tool's schema or from the model, so it is cut before it goes into a message. */
function nameOf(path: readonly string[]): string {
  return path.join('.').slice(0, 100);
}
