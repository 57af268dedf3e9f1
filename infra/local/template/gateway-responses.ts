import * as z from 'zod';
import type { GatewayResponsePart } from './parts.ts';
import type { Stack } from './stack.ts';

const Properties = z.object({
  ResponseType: z.string(),
  StatusCode: z.coerce.number().optional(),
  ResponseParameters: z.record(z.string(), z.string()).default({}),
  ResponseTemplates: z.record(z.string(), z.string()).default({}),
});

const HEADER = 'gatewayresponse.header.';

/** What the template makes of API Gateway's own error answers. */
export function gatewayResponseParts(stack: Stack): readonly GatewayResponsePart[] {
  return stack.of('AWS::ApiGateway::GatewayResponse').map((resource) => {
    const { ResponseType, StatusCode, ResponseParameters, ResponseTemplates } = stack.read(resource, Properties);
    const headers = Object.entries(ResponseParameters).flatMap(([name, value]) =>
      name.startsWith(HEADER) ? [[name.slice(HEADER.length), value] as const] : [],
    );
    return {
      responseType: ResponseType,
      status: StatusCode ?? null,
      headers: Object.fromEntries(headers),
      body: ResponseTemplates['application/json'] ?? null,
    };
  });
}
