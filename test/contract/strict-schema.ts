/**
 * A copy of a schema that refuses unknown fields. Stored bytes may have more fields than a schema names, so the schemas
 * are tolerant; a response has exactly the named ones.
 */
import * as z from 'zod';

type Schema = z.core.$ZodType;

export function strict<Of extends Schema>(schema: Of): Of {
  // The copy has the kind and the type of the original.
  return made(schema) as Of;
}

const known = new WeakMap<Schema, Schema>();

function made(schema: Schema): Schema {
  const found = known.get(schema) ?? copyOf(schema as z.core.$ZodTypes);
  known.set(schema, found);
  return found;
}

/** Kinds that contain no other schemas are not copied. */
function copyOf(schema: z.core.$ZodTypes): Schema {
  const { def } = schema._zod;
  switch (def.type) {
    case 'object': {
      const shape = Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, made(field)]));
      // A schema that allows unknown fields explicitly stays as it is, because its content is not the service's.
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
      throw new Error(`a response holds a schema of kind ${def.type}, which this copy does not handle`);
    default:
      return schema;
  }
}
