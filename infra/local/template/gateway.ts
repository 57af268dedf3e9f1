import * as z from 'zod';
import type { GatewayResponsePart, RoutePart } from './parts.ts';
import type { Stack } from './stack.ts';

const Method = z.object({
  HttpMethod: z.string(),
  ResourceId: z.string(),
  Integration: z.object({
    Type: z.string().optional(),
    Uri: z.string().optional(),
    ResponseTransferMode: z.string().optional(),
  }),
});

/** Both integration URIs (`…/invocations`, `…/response-streaming-invocations`) hold the function's ARN. */
const FUNCTION_IN_URI = /\/functions\/(arn:[^/]+)\//;

/** The methods of the template's REST APIs that a function answers. */
export function routeParts(stack: Stack): readonly RoutePart[] {
  const pathOf = resourcePaths(stack);
  return stack.of(Method, 'AWS::ApiGateway::Method').flatMap(({ logicalId, properties }): RoutePart[] => {
    const { HttpMethod: method, ResourceId, Integration } = properties;
    if (Integration.Type === 'MOCK') return [];
    const functionArn = FUNCTION_IN_URI.exec(Integration.Uri ?? '')?.[1];
    if (functionArn === undefined) throw new Error(`${logicalId}: only functions can answer a method here`);
    const transfer = Integration.ResponseTransferMode === 'STREAM' ? 'stream' : 'buffered';
    return [{ method, path: pathOf(ResourceId) || '/', functionArn, transfer }];
  });
}

const PathResource = z.object({ ParentId: z.string(), PathPart: z.string() });

/** An API Gateway resource id → its whole path. An API's root resource is in no template and has the path `/`. */
function resourcePaths(stack: Stack): (id: string) => string {
  const found = stack.of(PathResource, 'AWS::ApiGateway::Resource');
  const parts = new Map(found.map(({ ref, properties }) => [ref, properties]));
  const path = (id: string): string => {
    const part = parts.get(id);
    return part === undefined ? '' : `${path(part.ParentId)}/${part.PathPart}`;
  };
  return path;
}

const GatewayResponse = z.object({
  ResponseType: z.string(),
  StatusCode: z.coerce.number().optional(),
  ResponseParameters: z.record(z.string(), z.string()).default({}),
  ResponseTemplates: z.record(z.string(), z.string()).default({}),
});

const HEADER = 'gatewayresponse.header.';

/** What the template makes of API Gateway's own error answers. */
export function gatewayResponseParts(stack: Stack): readonly GatewayResponsePart[] {
  return stack.of(GatewayResponse, 'AWS::ApiGateway::GatewayResponse').map(({ properties }) => {
    const { ResponseType: responseType, StatusCode: status = null, ResponseParameters, ResponseTemplates } = properties;
    const headers = Object.entries(ResponseParameters)
      .filter(([name]) => name.startsWith(HEADER))
      .map(([name, value]) => [name.slice(HEADER.length), value]);
    return {
      responseType,
      status,
      headers: Object.fromEntries(headers),
      body: ResponseTemplates['application/json'] ?? null,
    };
  });
}

const RestApi = z.object({ BinaryMediaTypes: z.array(z.string()).default([]) });

/** The types of bodies that API Gateway leaves as they are. */
export function binaryMediaTypes(stack: Stack): readonly string[] {
  return stack.of(RestApi, 'AWS::ApiGateway::RestApi').flatMap(({ properties }) => properties.BinaryMediaTypes);
}
