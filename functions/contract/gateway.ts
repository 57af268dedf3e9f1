/** The part of API Gateway's Lambda proxy event (payload version 1) that the functions read. */
import * as z from 'zod';

const Values = z.record(z.string(), z.array(z.string())).nullish();
const Singles = z.record(z.string(), z.string().optional()).nullish();

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
