/**
 * A schema as its words have it, to the last field: stored bytes may carry more than a schema says, and are read all the
 * same, so the schemas are tolerant. What goes out carries exactly what they say.
 */
import * as z from 'zod';

type Schema = z.core.$ZodType;

export function strict<Of extends Schema>(schema: Of): Of {
  // The copy has the kind and the type of what was copied.
  return made(schema) as Of;
}

const known = new WeakMap<Schema, Schema>();

function made(schema: Schema): Schema {
  const found = known.get(schema) ?? copyOf(schema as z.core.$ZodTypes);
  known.set(schema, found);
  return found;
}

/** Kinds that hold no others stay as they are. */
function copyOf(schema: z.core.$ZodTypes): Schema {
  const { def } = schema._zod;
  switch (def.type) {
    case 'object': {
      const shape = Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, made(field)]));
      // What is loose on purpose says so: it is content that is not ours to judge.
      return z.core.clone(schema, { ...def, shape, catchall: def.catchall ?? z.never() });
    }
    case 'array':
      return z.core.clone(schema, { ...def, element: made(def.element) });
    case 'union':
      return z.core.clone(schema, { ...def, options: def.options.map(made) });
    case 'record':
      return z.core.clone(schema, { ...def, valueType: made(def.valueType) });
    case 'nullable':
    case 'optional':
      return z.core.clone(schema, { ...def, innerType: made(def.innerType) });
    case 'intersection':
    case 'lazy':
    case 'map':
    case 'set':
    case 'tuple':
    case 'pipe':
      throw new Error(`a response holds a schema of kind ${def.type}, which nobody made strict yet`);
    default:
      return schema;
  }
}
