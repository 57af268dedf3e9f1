/** The part of API Gateway's Lambda proxy event (payload version 1) that the functions read. */
import * as z from 'zod';

/** Clients choose the names. The object itself and no copy, because a copy has no field with the name `__proto__`. */
const named = <Value extends z.ZodType>(value: Value) =>
  z
    .custom<Readonly<Record<string, z.infer<Value>>>>(
      (given) =>
        typeof given === 'object' &&
        given !== null &&
        Object.values(given).every((one) => value.safeParse(one).success),
    )
    .nullish();

const Values = named(z.array(z.string()));
const Singles = named(z.string().optional());

export const GatewayEvent = z.object({
  httpMethod: z.string(),
  path: z.string(),
  headers: Singles,
  multiValueHeaders: Values,
  queryStringParameters: Singles,
  multiValueQueryStringParameters: Values,
  pathParameters: Singles,
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});
export type GatewayEvent = z.infer<typeof GatewayEvent>;
