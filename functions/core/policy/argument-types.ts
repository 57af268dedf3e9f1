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

export function argumentTypes(inputSchema: Schema): ReadonlyMap<string, ArgumentField> {
  return fieldsOf(inputSchema, inputSchema, 0);
}

function fieldsOf(schema: Schema, root: Schema, depth: number): ReadonlyMap<string, ArgumentField> {
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const properties = isSchema(schema['properties']) ? Object.entries(schema['properties']) : [];
  return new Map(
    properties.map(([name, property]) => {
      const { type, nullable } = typeOf(property, root, depth + 1);
      return [name, { type, required: required.includes(name) && !nullable }];
    }),
  );
}

interface Nullable {
  readonly type: ArgumentType;
  readonly nullable: boolean;
}

function typeOf(given: unknown, root: Schema, depth: number): Nullable {
  if (!isSchema(given) || depth > MAX_ARGUMENT_DEPTH) return { type: ANY, nullable: true };
  if (typeof given['$ref'] === 'string') return typeOf(referred(given['$ref'], root), root, depth + 1);
  const branches = given['anyOf'] ?? given['oneOf'] ?? given['allOf'];
  if (Array.isArray(branches)) return ofBranches(branches, root, depth);
  const names = [given['type'] ?? typeOfValues(given)].flat();
  const nullable = names.includes('null');
  const [name, ...others] = names.filter((one) => one !== 'null');
  return others.length > 0 ? { type: ANY, nullable } : { type: named(name, given, { root, depth }), nullable };
}

/** Many servers write `string | null` for an argument that may be left out. */
function ofBranches(branches: readonly unknown[], root: Schema, depth: number): Nullable {
  const others = branches.filter((branch) => !(isSchema(branch) && branch['type'] === 'null'));
  if (others.length !== 1) return { type: ANY, nullable: true };
  const { type, nullable } = typeOf(others[0], root, depth + 1);
  return { type, nullable: nullable || others.length < branches.length };
}

function named(
  name: unknown,
  schema: Schema,
  { root, depth }: { readonly root: Schema; readonly depth: number },
): ArgumentType {
  switch (name) {
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { kind: name };
    case 'array':
      return { kind: 'array', item: typeOf(schema['items'], root, depth + 1).type };
    case 'object':
      return { kind: 'object', fields: fieldsOf(schema, root, depth) };
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
