/**
 * What the client does in each scenario of the conformance runner. It uses this service's MCP client behind the guarded
 * fetch, and its consent flow or token exchange when the server needs one. It lists the tools and calls them.
 */
import * as z from 'zod';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createMcpClient } from '#aws/mcp/mcp-client.streamable-http.ts';
import type { McpTool } from '#contract/mcp.ts';
import type { McpFailure, McpTarget } from '#core/ports/mcp-client.ts';
import { createConsent, type Consented } from '#test/conformance/consent.ts';
import { admit, type SignedIn } from '#test/conformance/managed.ts';
import { callOf, ON } from '#test/mcp/client.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

export type Context = z.infer<typeof Context>;
export const Context = z.object({
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  idp_issuer: z.string().optional(),
  idp_client_id: z.string().optional(),
  idp_id_token: z.string().optional(),
  toolCalls: z.array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })).optional(),
});

/** The user consents at most twice. A server that then asks for more scopes is given up. */
const MAX_CONSENTS = 2;

/** `url` is the scenario's server. @throws when the client gives up */
export async function playScenario(url: string, context: Context): Promise<void> {
  const fetch = createGuardedFetch(
    { allow: ALLOW_HERE, resolve: resolveBySystem },
    { maxBytes: 1_000_000, totalMs: 50_000, idleMs: 50_000, maxRedirects: 3 },
  );
  const client = createMcpClient({ fetch, now: Date.now, forms: 'defaults' });
  const { client_id: clientId, client_secret: clientSecret } = context;
  const known = clientId !== undefined && clientSecret !== undefined ? { clientId, clientSecret } : null;
  const consent = createConsent({ fetch, known });
  const signedIn = signedInUser(context);
  let consented: Consented | null = null;
  let consents = 0;

  function target(): McpTarget {
    const onUnauthorized = () => Promise.reject(new Error('only consent helps'));
    const bearer = { token: async () => consented?.token, onUnauthorized };
    return { url, cacheKey: null, deadline: Date.now() + 50_000, bearer };
  }

  /** Repeats after a consent when one is missing. The credential of a refused token is not used again. */
  async function asUser<Value extends { readonly status: string }>(
    act: () => Promise<Value | McpFailure>,
  ): Promise<Value> {
    for (;;) {
      const result = await act();
      if (result.status !== 'failed') return result as Value;
      const { kind, scopes, resourceMetadata, detail } = result as McpFailure;
      if ((kind !== 'authentication' && kind !== 'scope_required') || consents === MAX_CONSENTS)
        throw new Error(detail);
      consents += 1;
      const granted = kind === 'scope_required' ? (consented?.scopes ?? []) : [];
      consented = await (signedIn === null
        ? consent({ url, resourceMetadata, scopes, granted })
        : admit(fetch, url, signedIn));
    }
  }

  const { tools } = await asUser(() => client.listTools(target(), ON));
  const wanted = context.toolCalls ?? tools.map((tool) => ({ name: tool.name, arguments: inputFor(tool, tools) }));
  for (const { name, arguments: input } of wanted) {
    const schema = tools.find((tool) => tool.name === name)?.input_schema ?? null;
    await asUser(() => client.callTool(target(), callOf(name, input, { schema }), ON));
  }
}

/** For a server that an organisation manages. */
function signedInUser(context: Context): SignedIn | null {
  const { client_id: id, client_secret: secret } = context;
  const { idp_issuer: issuer, idp_client_id: clientId, idp_id_token: idToken } = context;
  if (issuer === undefined || clientId === undefined || idToken === undefined) return null;
  if (id === undefined || secret === undefined) return null;
  return { idToken, identityProvider: { issuer, clientId }, client: { id, secret } };
}

const SAMPLES: Readonly<Record<string, unknown>> = { number: 2, integer: 2, boolean: true, string: 'a', array: [] };

/** A value of each type that the tool's schema asks for. A tool that asks for a schema gets the one of the first tool. */
function inputFor({ input_schema }: McpTool, tools: readonly McpTool[]): Record<string, unknown> {
  const sampleOf = (name: string, type: string) => (name === 'schema' ? tools[0]?.input_schema : (SAMPLES[type] ?? {}));
  const properties = (input_schema['properties'] ?? {}) as Record<string, { readonly type?: string }>;
  return Object.fromEntries(Object.entries(properties).map(([name, { type }]) => [name, sampleOf(name, type ?? '')]));
}
