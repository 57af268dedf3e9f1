import * as z from 'zod';

/** The schema of an option without its default. */
export function required(schema: z.core.$ZodType): z.core.$ZodType {
  const isWrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return isWrapped ? required(schema.unwrap()) : schema;
}

/** The options in an object; of a union, those of every member. */
export function fieldsOf(schema: z.core.$ZodType): ReadonlyMap<string, z.core.$ZodType> {
  const type = required(schema);
  if (type instanceof z.ZodObject) return new Map(Object.entries<z.core.$ZodType>(type.shape));
  if (!(type instanceof z.ZodDiscriminatedUnion)) return new Map();
  const members = type.options.map(fieldsOf);
  const { discriminator } = type.def;
  const values = members.map((fields) => fields.get(discriminator)).filter((field) => field instanceof z.ZodLiteral);
  const chosen = z.literal(values.flatMap((literal) => [...literal.values])).meta({ ...values[0]?.meta() });
  return new Map([...members.flatMap((fields) => [...fields]), [discriminator, chosen]]);
}
