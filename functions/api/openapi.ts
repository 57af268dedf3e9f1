/** The OpenAPI 3.1 document, from the same table and schemas that serve the requests. */
import * as z from 'zod';
import { ERROR_STATUS, ErrorEnvelope } from '#contract/errors.ts';
import { NoBody } from './operation.ts';
import { ROUTES, UNBUILT, type Route } from './routes.ts';

type Json = Record<string, unknown>;

let made: Json | undefined;

/** Made once, at the first request, because it takes longer than other answers and changes with deployments only. */
export function openApiDocument(): Json {
  made ??= makeDocument();
  return made;
}

function makeDocument(): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const route of ROUTES) {
    const at = (paths[route.path] ??= {});
    at[route.method.toLowerCase()] = describe(route, schemas);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Brainstem', version: '0.1.0', summary: 'A self-hosted Managed Agents service' },
    security: [{ bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
    },
    'x-not-built-yet': UNBUILT.map(({ method, path }) => `${method} ${path}`),
  };
}

const RESPONSE_TYPES = {
  built: 'application/json',
  streamed: 'text/event-stream',
  downloaded: 'application/octet-stream',
} as const;

function describe(route: Route, schemas: Json): Json {
  const type = RESPONSE_TYPES[route.status];
  const takesBody = route.status === 'built' && route.body !== NoBody;
  return {
    summary: route.summary,
    parameters: [...parameters('path', route.params, schemas), ...parameters('query', route.query, schemas)],
    ...(takesBody
      ? {
          requestBody: {
            required: true,
            content: content(route.form ? 'multipart/form-data' : 'application/json', route.body, 'input', schemas),
          },
        }
      : {}),
    responses: {
      200: { description: 'Done', content: content(type, route.response, 'output', schemas) },
      default: {
        description: `Refused or failed: ${Object.entries(ERROR_STATUS)
          .map((pair) => pair.toReversed().join(' '))
          .join(', ')}`,
        content: content('application/json', ErrorEnvelope, 'output', schemas),
      },
    },
  };
}

function parameters(place: 'path' | 'query', schema: z.ZodObject, schemas: Json): readonly Json[] {
  const { properties } = jsonSchema(schema, 'output', schemas) as { readonly properties?: Record<string, Json> };
  return Object.entries(properties ?? {}).map(([name, property]) => ({
    name: property['type'] === 'array' ? `${name}[]` : name,
    in: place,
    required: place === 'path',
    schema: property,
  }));
}

function content(type: string, schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  return { [type]: { schema: jsonSchema(schema, io, schemas) } };
}

/** Named schemas move to the document's components, where every use refers to them. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const { $schema: _dialect, $defs, ...own } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  Object.assign(schemas, relocated($defs ?? {}));
  return relocated(own) as Json;
}

function relocated(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(relocated);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string'
        ? value.replace('#/$defs/', '#/components/schemas/')
        : relocated(value),
    ]),
  );
}
