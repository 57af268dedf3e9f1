/**
 * Whether a value has the form of a JSON Schema (draft 2020-12), as far as the model's provider looks before it takes a
 * tool: what its keywords hold, not what they mean. Unknown keywords hold what they like.
 */

const TYPES: ReadonlySet<unknown> = new Set(['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']);
/** Deeper ones are nobody's arguments, and would be a way to exhaust whoever walks them. */
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
  ...keywords(isText, 'title', 'description', 'format', 'pattern', '$ref', '$id', '$comment'),
  ...keywords(isNumber, 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'),
  ...keywords(isCount, 'minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'),
  ...keywords(isSchemas, 'allOf', 'anyOf', 'oneOf', 'prefixItems'),
  ...keywords(isNamedSchemas, 'properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'),
  ...keywords(isJsonSchema, 'items', 'contains', 'additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else'),
]);

export function isJsonSchema(value: unknown, depth = 0): boolean {
  if (typeof value === 'boolean') return true;
  if (!isRecord(value) || depth > MAX_DEPTH) return false;
  return Object.entries(value).every(([keyword, held]) => HOLDS.get(keyword)?.(held, depth + 1) ?? true);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
