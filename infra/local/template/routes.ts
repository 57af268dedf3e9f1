import * as z from 'zod';
import type { RoutePart } from './parts.ts';
import type { Stack } from './stack.ts';

const MethodProperties = z.object({
  HttpMethod: z.string(),
  ResourceId: z.string(),
  Integration: z.object({
    Type: z.string().optional(),
    Uri: z.string().optional(),
    ResponseTransferMode: z.string().optional(),
  }),
});

const ResourceProperties = z.object({ ParentId: z.string(), PathPart: z.string() });

/** Both integration URIs (`…/invocations`, `…/response-streaming-invocations`) hold the function's ARN. */
const FUNCTION_IN_URI = /\/functions\/(arn:[^/]+)\//;

/** The methods of the template's REST APIs that a function answers. */
export function routeParts(stack: Stack): readonly RoutePart[] {
  const paths = resourcePaths(stack);
  return stack.of('AWS::ApiGateway::Method').flatMap((method): RoutePart[] => {
    const { HttpMethod, ResourceId, Integration } = stack.read(method, MethodProperties);
    if (Integration.Type === 'MOCK') return [];
    const functionArn = FUNCTION_IN_URI.exec(Integration.Uri ?? '')?.[1];
    if (functionArn === undefined) throw new Error(`${method.logicalId}: only functions can answer a method here`);
    const transfer = Integration.ResponseTransferMode === 'STREAM' ? 'stream' : 'buffered';
    return [{ method: HttpMethod, path: paths.get(ResourceId) ?? '/', functionArn, transfer }];
  });
}

/** API Gateway resource id → its whole path. An API's root resource is in no template and has the path `/`. */
function resourcePaths(stack: Stack): ReadonlyMap<string, string> {
  const parts = new Map(
    stack.of('AWS::ApiGateway::Resource').map((resource) => {
      return [stack.identity(resource).ref, stack.read(resource, ResourceProperties)] as const;
    }),
  );
  const path = (id: string): string => {
    const part = parts.get(id);
    return part === undefined ? '' : `${path(part.ParentId)}/${part.PathPart}`;
  };
  return new Map([...parts.keys()].map((id) => [id, path(id)]));
}
