/**
 * The service and an MCP server with tools that anyone may list. Calls need a token from an authorization server that
 * asks its users for consent. Users log in at a certified identity provider.
 */
import type { EventId } from '#contract/ids.ts';
import { freePort } from '#test/free-port.ts';
import type { BrainstemProps } from '#infra/brainstem.ts';
import { browserOf } from '#test/functions/connect/http-browser.ts';
import { startIdentityProvider, type TestIdentityProvider } from '#test/functions/connect/identity-provider.ts';
import type { Visit } from '#test/functions/connect/browser.ts';
import { startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import type { Fx, FxRequest } from '#test/mcp/fx.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { startMcpService, type McpService } from '#test/mcp/mcp-service.ts';
import { ofType, type Event } from '#test/journeys/service.ts';

export interface ConsentService extends McpService {
  readonly as: AuthorizationServer;
  readonly idp: TestIdentityProvider;
  /** Whether the server also needs a token for listing its tools. */
  closed: boolean;
  /** The user logs in, opens the page of this link, and consents. Returns the last page. */
  consent(user: string, link: string): Promise<Visit>;
  /** Calls that the server accepted. */
  admitted(tool: string): readonly FxRequest[];
}

export interface ConsentServiceOptions {
  readonly props?: BrainstemProps;
  /** The users' organisation manages the server. @default false */
  readonly isManaged?: boolean;
}

export async function startConsentService(options: ConsentServiceOptions = {}): Promise<ConsentService> {
  const { props = {}, isManaged = false } = options;
  const port = await freePort();
  const idp = await startIdentityProvider(`http://127.0.0.1:${port}/connect/login/callback`, 'public');
  const { issuer, clientId } = idp.login;
  const as = await startAuthorizationServer({ trusts: () => ({ issuer, publicKey: idp.publicKey }) });
  const managed = ({ url }: Fx) => ({ url, issuer: as.issuer, clientId: 'client-1', scopes: ['files:read'] });
  const service = await startMcpService({
    port,
    fx: { authorizationServers: [as.issuer], scopesSupported: ['files:read'] },
    props,
    propsFor: (fx) => ({
      connect: { issuer, clientId, allow: ALLOW_HERE, ...(isManaged && { managedServers: [managed(fx)] }) },
    }),
  });
  const { fx } = service;
  const admitted: FxRequest[] = [];
  const refused = (status: number, more: string) => {
    const metadata = `${fx.origin}/.well-known/oauth-protected-resource/mcp`;
    const headers = { 'www-authenticate': `Bearer resource_metadata="${metadata}"${more}` };
    return Response.json({ error: 'refused' }, { status, headers });
  };
  fx.intercept = (request) => {
    const { headers, rpc } = request;
    if (rpc?.method !== 'tools/call' && !consenting.closed) return undefined;
    const consent = as.grants.accepts(headers['authorization']?.replace(/^Bearer /, '') ?? '');
    if (consent === null) return refused(401, '');
    const { scope } = fx.tools.get(String(rpc?.params?.['name'])) ?? {};
    if (scope === undefined || consent.scope.includes(scope)) return void admitted.push(request);
    return refused(403, `, error="insufficient_scope", scope="${scope}"`);
  };

  const consenting: ConsentService = {
    ...service,
    as,
    idp,
    closed: false,
    admitted: (tool) => admitted.filter(({ rpc }) => rpc?.params?.['name'] === tool),
    async consent(user, link) {
      const browser = browserOf(service.runtime);
      return browser.follow(await browser.submit(await browser.openAs(user, link)));
    },
    async close() {
      await service.close();
      await Promise.all([as.close(), idp.close()]);
    },
  };
  return consenting;
}

/** The links in session errors, in order. */
export function linksIn(events: readonly Event[]): readonly string[] {
  return ofType(events, 'session.error').flatMap(
    ({ error }) => error.message.match(/http\S*\/connect\/conn_\S+/) ?? [],
  );
}

/** A client's confirmation of a call. */
export const confirmation = (call: string, result: 'allow' | 'deny', denyMessage?: string) => ({
  type: 'user.tool_confirmation' as const,
  tool_use_id: call as EventId,
  result,
  ...(denyMessage === undefined ? {} : { deny_message: denyMessage }),
});
