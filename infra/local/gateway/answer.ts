/** HTTP answers made of what functions return. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import * as z from 'zod';

const HeaderValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

/** What a function must answer for API Gateway to make an HTTP response of it; also the metadata of a streamed one. */
export const ProxyHead = z.object({
  statusCode: z.coerce.number().int().min(100).max(599),
  headers: z.record(z.string(), HeaderValue).nullish(),
  multiValueHeaders: z.record(z.string(), z.array(HeaderValue)).nullish(),
  cookies: z.array(z.string()).nullish(),
});
export type ProxyHead = z.infer<typeof ProxyHead>;

export const ProxyAnswer = ProxyHead.extend({
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});
export type ProxyAnswer = z.infer<typeof ProxyAnswer>;

export function sendBuffered(response: ServerResponse, answer: ProxyAnswer): void {
  const body = Buffer.from(answer.body ?? '', answer.isBase64Encoded === true ? 'base64' : 'utf8');
  writeHead(response, answer);
  response.end(body);
}

export function writeHead(response: ServerResponse, head: ProxyHead): void {
  response.setHeader('x-amzn-requestid', randomUUID());
  for (const [name, value] of Object.entries(head.headers ?? {})) response.setHeader(name, value);
  for (const [name, values] of Object.entries(head.multiValueHeaders ?? {})) response.setHeader(name, values);
  if (head.cookies != null && head.cookies.length > 0) response.setHeader('set-cookie', head.cookies);
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json');
  response.statusCode = head.statusCode;
}
