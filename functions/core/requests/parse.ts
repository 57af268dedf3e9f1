/** The border of a request: each part is parsed once, by its schema. */
import type * as z from 'zod';
import { explain } from '#core/requests/explain.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

export function parseBody<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> | RequestRefusal {
  let value: unknown;
  try {
    // A request without parameters carries no body.
    value = text === '' ? {} : JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    return refuse('invalid_request_error', 'body: is not valid JSON');
  }
  const lost = findLostKey(value);
  if (lost !== null) return refuse('invalid_request_error', `${lost}: is no name that can be kept`);
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : refuse('invalid_request_error', explain(parsed.error, 'body'));
}

/** Fields `name[]` are lists; what is one value in the schema and comes twice is one too, which the schema then refuses. */
export function parseForm<Schema extends z.ZodType>(
  schema: Schema,
  form: FormData | null,
): z.infer<Schema> | RequestRefusal {
  if (form === null) return refuse('invalid_request_error', 'body: must be multipart/form-data');
  const values = new Map<string, unknown>();
  for (const name of new Set(form.keys())) {
    const all = form.getAll(name);
    values.set(name.replace(/\[\]$/, ''), name.endsWith('[]') || all.length > 1 ? all : all[0]);
  }
  if (values.has(LOST)) return refuse('invalid_request_error', `${LOST}: is no name that can be kept`);
  const parsed = schema.safeParse(Object.fromEntries(values));
  return parsed.success ? parsed.data : refuse('invalid_request_error', explain(parsed.error, 'body'));
}

/**
 * Arrays come as `name[]`, repeated; the contract's prose also says `name`, repeated. What is one value in the schema
 * stays an array when repeated, which the schema then refuses.
 */
export function parseQuery<Schema extends z.ZodObject>(
  schema: Schema,
  query: URLSearchParams,
): z.infer<Schema> | RequestRefusal {
  const names = new Set([...query.keys()].map((given) => given.replace(/\[\]$/, '')));
  const values = Object.fromEntries([...names].map((name) => [name, valueOf(name)]));
  const parsed = schema.safeParse(values);
  return parsed.success ? parsed.data : refuse('invalid_request_error', explain(parsed.error, 'query'));

  function valueOf(name: string): string | readonly string[] | undefined {
    const all = [...query.getAll(name), ...query.getAll(`${name}[]`)];
    const several = all.length > 1 || (Object.hasOwn(schema.shape, name) && isArray(schema.shape[name]));
    return several ? all : all[0];
  }
}

function isArray(schema: z.core.$ZodType | undefined): boolean {
  const def = schema?._zod.def;
  if (def === undefined) return false;
  if (def.type === 'array') return true;
  return 'innerType' in def && isArray(def.innerType as z.core.$ZodType);
}

/** The one key that objects made from a request cannot have: the schemas leave it out, and the client would not know. */
const LOST = '__proto__';

type Nested = { readonly path: string; readonly node: object };

/** The path of the first one. Level by level, not by recursion: JSON may be nested deeper than the stack. */
function findLostKey(value: unknown): string | null {
  for (let level = objectsOf({ '': value }, ''); level.length > 0;) {
    const found = level.find(({ node }) => Object.hasOwn(node, LOST));
    if (found !== undefined) return `${found.path}${LOST}`;
    level = level.flatMap(({ path, node }) => objectsOf(node, path));
  }
  return null;
}

function objectsOf(parent: object, path: string): readonly Nested[] {
  return Object.entries(parent).flatMap(([key, node]: [string, unknown]) =>
    typeof node === 'object' && node !== null ? [{ path: key === '' ? path : `${path}${key}.`, node }] : [],
  );
}
