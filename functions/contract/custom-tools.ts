/** Tools that the client executes. */
import * as z from 'zod';
import { isWellFormed, MALFORMED } from './content.ts';

/** The provider has the same rules for names, so it accepts each tool that is saved here. */
const NAME = /^[A-Za-z0-9_-]{1,128}$/;
const PROPERTY = /^[A-Za-z0-9_.-]{1,64}$/;
/** The beginning of the names of MCP servers' tools. */
const MCP_PREFIX = 'mcp__';
const COMBINATORS = ['oneOf', 'anyOf', 'allOf'] as const;
/** No schema that a person writes is deeper, and a deeper one overflows the stack of code that walks or prints it. */
const MAX_DEPTH = 64;

/** JSON Schema of the input. Keys beside the named ones are passed on unchecked. */
const InputSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), z.unknown()).nullish(),
  required: z.array(z.string()).nullish(),
});

const InputSchemaInput = InputSchema.refine((schema) => !COMBINATORS.some((key) => Object.hasOwn(schema, key)), {
  message: `must not have ${COMBINATORS.join(', ')} at its top level`,
})
  .refine((schema) => Object.keys(schema.properties ?? {}).every((name) => PROPERTY.test(name)), {
    path: ['properties'],
    message: 'names must have 1 to 64 letters, digits, "_", "." or "-"',
  })
  .check((context) => {
    const fault = faultWithin(context.value);
    if (fault !== null) context.issues.push({ code: 'custom', input: context.value, path: [], message: fault });
  });

export const CustomToolInput = z
  .strictObject({
    type: z.literal('custom'),
    name: z
      .string()
      .regex(NAME, 'must have 1 to 128 letters, digits, "_" or "-"')
      .refine((name) => !name.startsWith(MCP_PREFIX), `must not start with "${MCP_PREFIX}"`),
    description: z.string().min(1).refine(isWellFormed, MALFORMED),
    input_schema: InputSchemaInput,
  })
  .meta({ id: 'CustomToolInput' });
export type CustomToolInput = z.infer<typeof CustomToolInput>;

export const CustomTool = z
  .object({ type: z.literal('custom'), name: z.string(), description: z.string(), input_schema: InputSchema })
  .meta({ id: 'CustomTool' });
export type CustomTool = z.infer<typeof CustomTool>;

/** Goes level by level and not by recursion, because JSON may be nested deeper than the stack. */
function faultWithin(schema: unknown): string | null {
  let level: readonly unknown[] = [schema];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === MAX_DEPTH) return `must have at most ${MAX_DEPTH} levels`;
    const objects = level.filter((node): node is object => typeof node === 'object' && node !== null);
    if (objects.some((node) => Object.hasOwn(node, '$ref'))) return 'must not contain $ref';
    const texts = [...level.filter((node) => typeof node === 'string'), ...objects.flatMap(Object.keys)];
    if (!texts.every(isWellFormed)) return MALFORMED;
    level = objects.flatMap((node): readonly unknown[] => Object.values(node));
  }
  return null;
}
