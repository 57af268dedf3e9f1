/**
 * The types of a tool's arguments, read from its input schema as far as policies can use them. Where the schema gives
 * nothing to rely on (alternatives, references outside of it, no type) the type is `any`.
 */

export type ArgumentType =
  | { readonly kind: 'string' | 'integer' | 'number' | 'boolean' | 'any' }
  | { readonly kind: 'array'; readonly item: ArgumentType }
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, ArgumentField> };

export interface ArgumentField {
  readonly type: ArgumentType;
  /** The argument is always present, and never null. */
  readonly required: boolean;
}

type Schema = Readonly<Record<string, unknown>>;

const ANY: ArgumentType = { kind: 'any' };

/** The deepest nesting of an argument. It also ends references that lead in circles. */
export const MAX_ARGUMENT_DEPTH = 8;

/** More arguments than a tool has. A schema that refers to itself in each of its fields would otherwise have no end. */
const MAX_TYPES = 5000;

export function argumentTypes(inputSchema: Schema): ReadonlyMap<string, ArgumentField> {
  return fieldsOf(inputSchema, { root: inputSchema, left: MAX_TYPES }, 0);
}

interface Reading {
  readonly root: Schema;
  /** How many types may still be read. */
  left: number;
}

function fieldsOf(schema: Schema, reading: Reading, depth: number): ReadonlyMap<string, ArgumentField> {
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const properties = isSchema(schema['properties']) ? Object.entries(schema['properties']) : [];
  return new Map(
    properties.map(([name, property]) => {
      const { type, nullable } = typeOf(property, reading, depth + 1);
      return [name, { type, required: required.includes(name) && !nullable }];
    }),
  );
}

interface Nullable {
  readonly type: ArgumentType;
  readonly nullable: boolean;
}

function typeOf(given: unknown, reading: Reading, depth: number): Nullable {
  reading.left -= 1;
  if (!isSchema(given) || depth > MAX_ARGUMENT_DEPTH || reading.left < 0) return { type: ANY, nullable: true };
  if (typeof given['$ref'] === 'string') return typeOf(referred(given['$ref'], reading.root), reading, depth + 1);
  const branches = given['anyOf'] ?? given['oneOf'] ?? given['allOf'];
  if (Array.isArray(branches)) return ofBranches(branches, reading, depth);
  const names = [given['type'] ?? typeOfValues(given)].flat();
  const nullable = names.includes('null');
  const [name, ...others] = names.filter((one) => one !== 'null');
  return others.length > 0 ? { type: ANY, nullable } : { type: named(name, given, { reading, depth }), nullable };
}

/** Many servers write `string | null` for an argument that may be left out. */
function ofBranches(branches: readonly unknown[], reading: Reading, depth: number): Nullable {
  const others = branches.filter((branch) => !(isSchema(branch) && branch['type'] === 'null'));
  if (others.length !== 1) return { type: ANY, nullable: true };
  const { type, nullable } = typeOf(others[0], reading, depth + 1);
  return { type, nullable: nullable || others.length < branches.length };
}

function named(
  name: unknown,
  schema: Schema,
  { reading, depth }: { readonly reading: Reading; readonly depth: number },
): ArgumentType {
  switch (name) {
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { kind: name };
    case 'array':
      return { kind: 'array', item: typeOf(schema['items'], reading, depth + 1).type };
    case 'object':
      return { kind: 'object', fields: fieldsOf(schema, reading, depth) };
    default:
      return ANY;
  }
}

/** The type that all values of an enumeration have. */
function typeOfValues(schema: Schema): unknown {
  const values = Array.isArray(schema['enum']) ? schema['enum'] : 'const' in schema ? [schema['const']] : [];
  const names = new Set(values.map((value) => (value === null ? 'null' : typeof value)));
  return names.has('object') ? undefined : [...names];
}

/** Follows references within the schema only; it fetches nothing. */
function referred(reference: string, root: Schema): unknown {
  const [, place = '', name = ''] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(reference) ?? [];
  const definitions = root[place];
  return isSchema(definitions) && Object.hasOwn(definitions, name) ? definitions[name] : undefined;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
