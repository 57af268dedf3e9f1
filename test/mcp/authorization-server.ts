/**
 * An authorization server over real HTTP. A test can make it rotate tokens, detect reuse, forget, give wrong answers,
 * stall and break off. It records each request, so that a test can check what was sent.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AuthorizationServerOptions,
  Decision,
  ReceivedRequest,
  TokenAnswer,
} from './authorization-server-script.ts';
import { createGrants, type Consent, type Grants, type Issued } from './grants.ts';
import { route, token, type State } from './oauth-endpoints.ts';
import type { Client } from './oauth-client.ts';

export interface AuthorizationServer {
  readonly issuer: string;
  readonly port: number;
  readonly tokenEndpoint: string;
  readonly requests: readonly ReceivedRequest[];
  /** The requests to the token endpoint. */
  readonly tokenRequests: readonly ReceivedRequest[];
  readonly grants: Grants;
  /** A pair of tokens as after a user's consent. */
  consented(consent?: Partial<Consent>): Issued;
  /**
   * Answers for the next token requests, one each. Later requests get the right answer, or the one given to `always`.
   */
  answer(...answers: readonly TokenAnswer[]): void;
  always(answer: TokenAnswer | null): void;
  /** The user's decision, and the issuer in the redirect. */
  decides(decision: Decision): void;
  /** Forgets this client, as if it had never been registered. */
  forgets(clientId: string): void;
  close(): Promise<void>;
}

export const PUBLIC_CLIENT: Client = { id: 'client-1', auth: 'none', secret: null, redirectUris: null };

export async function startAuthorizationServer(options: AuthorizationServerOptions = {}): Promise<AuthorizationServer> {
  const requests: ReceivedRequest[] = [];
  const server = createServer((request, response) => void serve(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const path = options.path ?? '';
  const issuer = `http://${options.host ?? '127.0.0.1'}:${port}${path}`;
  const state: State & { decision: Decision } = {
    options,
    issuer,
    grants: createGrants(options.lifetimeSeconds ?? 3600, options.nowMs ?? Date.now, options.newToken),
    clients: new Map((options.clients ?? [PUBLIC_CLIENT]).map((client) => [client.id, client])),
    forgotten: new Set(),
    codes: new Map(),
    decision: {},
  };
  const script: TokenAnswer[] = [];
  let usual: TokenAnswer | null = null;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = await receive(request);
    requests.push(received);
    const isToken = received.path === `${path}/token`;
    const told = isToken ? (script.shift() ?? usual) : null;
    await told?.after;
    if (isToken && options.latencyMs !== undefined) await sleep(options.latencyMs);
    if (told?.do === 'hang') return;
    const reply = isToken ? token(state, received, told) : route(state, received);
    if (told?.do === 'drop' || told?.do === 'rotate and drop') return void request.socket.destroy();
    response.writeHead(reply.code, reply.headers).end(reply.body);
  }

  return {
    issuer,
    port,
    tokenEndpoint: `${issuer}/token`,
    requests,
    get tokenRequests() {
      return requests.filter((request) => request.path === `${path}/token`);
    },
    grants: state.grants,
    consented: (consent) =>
      state.grants.begin({ client: 'client-1', subject: 'alice', scope: 'files:read', resource: null, ...consent }),
    answer: (...answers) => void script.push(...answers),
    always: (answer) => {
      usual = answer;
    },
    decides: (decision) => {
      state.decision = decision;
    },
    forgets: (clientId) => void state.forgotten.add(clientId),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const url = new URL(request.url ?? '/', 'http://here');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body,
    form: new URLSearchParams(body),
  };
}
