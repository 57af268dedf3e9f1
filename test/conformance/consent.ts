/**
 * A user's consent as the connect pages do it, without pages: the same discovery, scopes, registration, redirect,
 * checks and exchange. In place of the browser, a request reads where the redirect leads.
 */
import { randomUUID } from 'node:crypto';
import { sha256 } from '#aws/stamp.ts';
import { createAuthorizationServers } from '#aws/connect/authorization-server.mcp-sdk.ts';
import type { GuardedFetch } from '#core/ports/outbound.ts';
import type { KnownClient } from '#contract/connect.ts';
import { ConnectId, WorkspaceId } from '#contract/ids.ts';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import type { RegisteredClients, ConnectionAttempt } from '#core/ports/connection-records.ts';
import { chooseScopes } from '#core/connect/approve.ts';
import { chooseClient, redirectUrl } from '#core/connect/registration.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

/** The URL of the client's metadata document, as the runner expects it. */
const BASE_URL = 'https://conformance-test.local';
/** A client that is used for the first time. */
const LINK = { id: ConnectId.parse('conn_1'), workspace: WorkspaceId.parse('wrkspc_conformance'), attempt: null };

export interface ConsentOptions {
  readonly fetch: GuardedFetch;
  /** A client that was registered by hand at the issuer that the server names. */
  readonly known: { readonly clientId: string; readonly clientSecret: string } | null;
}

export interface Asked {
  readonly url: string;
  readonly resourceMetadata: string | null;
  readonly scopes: readonly string[];
  readonly granted: readonly string[];
}

export interface Consented {
  readonly token: string;
  readonly scopes: readonly string[];
}

export function createConsent({ fetch, known }: ConsentOptions): (asked: Asked) => Promise<Consented> {
  const servers = createAuthorizationServers({ fetch, allow: ALLOW_HERE });
  const clients = rememberClients(known);
  return async function consent({ url, resourceMetadata, scopes: asked, granted }) {
    const discovered = settled(await servers.discover({ url, resourceMetadata }));
    const scopes = chooseScopes(discovered, { asked, granted });
    const { issuer, namesItself, tokenEndpoint, resource } = discovered;
    const knownClients: KnownClient[] =
      known === null ? [] : [{ issuer, clientId: known.clientId, secretArn: known.clientSecret }];
    const connections = { registerAnew: async () => 'conflict' as const };
    const world = { connections, clients, servers, sha256, knownClients, baseUrl: BASE_URL, appName: 'Conformance' };
    const { client } = settled(await chooseClient(world, LINK, discovered));
    const attempt: ConnectionAttempt = {
      ...{ nonce: randomUUID(), until: '9999-01-01T00:00:00.000Z' as ConnectionAttempt['until'] },
      ...{ issuer, namesItself, tokenEndpoint, resource, client, scopes: [...scopes] },
    };
    const verifier = randomUUID() + randomUUID();
    const leave = {
      clientId: client.id,
      redirectUrl: redirectUrl(world, attempt),
      state: attempt.nonce,
      verifier,
      scopes,
    };
    const answer = await approve(fetch, await servers.authorizationUrl(discovered, leave));
    const iss = answer.get('iss');
    if (answer.get('state') !== attempt.nonce) throw new Error('the answer is to another question');
    if (!servers.isFrom(attempt, iss)) throw new Error('the answer names another issuer, or none');
    const exchange = { code: answer.get('code') ?? '', iss, verifier, redirectUrl: leave.redirectUrl };
    const tokens = settled(
      await servers.exchange(attempt, { ...exchange, clientSecret: await clients.secretOf(client) }),
    );
    return { token: tokens.accessToken, scopes: tokens.scopes ?? scopes };
  };
}

/** The user approves everything. The authorization server's answer is in its redirect. */
async function approve(fetch: GuardedFetch, url: string): Promise<URLSearchParams> {
  const response = await fetch(url, { redirect: 'manual' });
  await response.body?.cancel();
  return new URL(response.headers.get('location') ?? '', url).searchParams;
}

/** Clients by issuer, so that no authorization server gets another one's client. The secret stands for its ARN. */
function rememberClients(known: ConsentOptions['known']): RegisteredClients {
  const clients = new Map<string, ConnectionAttempt['client']>();
  return {
    find: async (_workspace, issuer) => clients.get(issuer) ?? null,
    async save(_workspace, issuer, client) {
      clients.set(issuer, client);
      return client;
    },
    secretOf: async ({ id, secret }) => (id === known?.clientId ? known.clientSecret : secret),
    forget: async (_workspace, issuer) => void clients.delete(issuer),
  };
}

function settled<Value extends { readonly status: string }>(value: Value | ConnectionTrouble): Value {
  if (value.status === 'trouble') {
    const { error, detail } = value as ConnectionTrouble;
    throw new Error(`${error}: ${detail}`);
  }
  return value as Value;
}
