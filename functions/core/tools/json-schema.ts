/** JSON Schemas that servers write: their form, their depth, and the nulls in them. */

type Fields = Readonly<Record<string, unknown>>;

const TYPES: ReadonlySet<unknown> = new Set(['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']);
/** No real tool has deeper arguments; a deeper schema could exhaust the stack of a program that walks it. */
const MAX_DEPTH = 32;

type Holds = (value: unknown, depth: number) => boolean;

const isText: Holds = (value) => typeof value === 'string';
const isNumber: Holds = (value) => typeof value === 'number';
const isCount: Holds = (value) => Number.isInteger(value) && Number(value) >= 0;
const isType: Holds = (value) => [value].flat().every((one) => TYPES.has(one)) && [value].flat().length > 0;
const isTexts: Holds = (value) => Array.isArray(value) && value.every((one) => typeof one === 'string');
const isSchemas: Holds = (value, depth) =>
  Array.isArray(value) && value.length > 0 && value.every((one) => isJsonSchema(one, depth));
const isNamedSchemas: Holds = (value, depth) =>
  isRecord(value) && Object.values(value).every((one) => isJsonSchema(one, depth));
const keywords = (holds: Holds, ...names: readonly string[]) => names.map((name) => [name, holds] as const);

const HOLDS: ReadonlyMap<string, Holds> = new Map([
  ...keywords(isType, 'type'),
  ...keywords(isTexts, 'required'),
  ...keywords(Array.isArray, 'enum'),
  ...keywords(isText, 'title', 'description', 'format', 'pattern', '$schema', '$ref', '$id', '$comment'),
  ...keywords(isNumber, 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'),
  ...keywords(isCount, 'minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'),
  ...keywords(isSchemas, 'allOf', 'anyOf', 'oneOf', 'prefixItems'),
  ...keywords(isNamedSchemas, 'properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'),
  ...keywords(isJsonSchema, 'items', 'contains', 'additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else'),
]);

/** Keywords whose null is a value that an argument may have. */
const VALUES: ReadonlySet<string> = new Set(['const', 'default', 'enum', 'examples']);

/** The schema without the keywords and subschemas that are null: some servers write null for what they leave out. */
export function withoutNulls(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.filter((one) => one !== null).map(withoutNulls);
  if (!isRecord(schema)) return schema;
  const present = Object.entries(schema).filter(([keyword, held]) => held !== null || VALUES.has(keyword));
  return Object.fromEntries(
    present.map(([keyword, held]) => [keyword, VALUES.has(keyword) ? held : withoutNullsIn(keyword, held)]),
  );
}

function withoutNullsIn(keyword: string, held: unknown): unknown {
  if (HOLDS.get(keyword) !== isNamedSchemas || !isRecord(held)) return withoutNulls(held);
  const named = Object.entries(held).filter(([, schema]) => schema !== null);
  return Object.fromEntries(named.map(([name, schema]) => [name, withoutNulls(schema)]));
}

/** Whether a value that was parsed from JSON is nested at most so deep. */
export function isWithinDepth(value: unknown, maxDepth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return maxDepth > 0 && Object.values(value).every((held) => isWithinDepth(held, maxDepth - 1));
}

/**
 * Whether a value has the form of a JSON Schema (draft 2020-12), as far as the model's provider checks a tool: what its
 * keywords hold, not what they mean. Unknown keywords may hold anything.
 */
export function isJsonSchema(value: unknown, depth = 0): boolean {
  if (typeof value === 'boolean') return true;
  if (!isRecord(value) || depth > MAX_DEPTH) return false;
  return Object.entries(value).every(([keyword, held]) => HOLDS.get(keyword)?.(held, depth + 1) ?? true);
}

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
