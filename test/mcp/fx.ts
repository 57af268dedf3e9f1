/**
 * An MCP server on this machine, over real HTTP, that records every request. It speaks both protocol revisions or one
 * of them, and can demand bearer tokens. A test can change its tools, tokens and answers while it runs.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  createMcpHandler,
  legacyStatelessFallback,
  Server,
  type McpRequestContext,
  type Tool,
} from '@modelcontextprotocol/server';
import { FX_TOOLS, type FxTool } from '#test/mcp/fx-tools.ts';
import { answerWith, bodyOf, listenHere, webRequest, type Listening } from '#test/mcp/listening.ts';

export interface FxRequest {
  readonly method: string;
  readonly path: string;
  /** Headers with names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The JSON-RPC message of a POST. */
  readonly rpc: FxMessage | null;
}

export interface FxMessage {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export interface FxOptions {
  /** @default 'both' */
  readonly era?: 'both' | 'legacy' | 'modern';
  /**
   * The accepted tokens with their scopes; without this field, every request is accepted. A test can change them by
   * `tokens` of the running server.
   */
  readonly tokens?: Readonly<Record<string, readonly string[]>>;
  /** The scopes in the metadata of the protected resource. */
  readonly authorizationServers?: readonly string[];
  readonly scopesSupported?: readonly string[];
  /** Whether the older revision gives out session ids and expects them back. @default false */
  readonly sessions?: boolean;
  /** How long, and for which credentials, the newer revision allows answers to be cached. */
  readonly cache?: { readonly ttlMs: number; readonly cacheScope: 'public' | 'private' };
  readonly tools?: readonly FxTool[];
}

/** A response in place of MCP's; `undefined` continues. */
export type Intercept = (request: FxRequest) => Response | undefined | Promise<Response | undefined>;

export interface Fx extends Listening {
  /** The URL for an agent's `mcp_servers[].url`: `http://127.0.0.1:<port>/mcp`. */
  readonly url: string;
  /** Every request that arrived, discovery included, in order. */
  readonly requests: readonly FxRequest[];
  /** The `tools/call` requests among them, of one tool or of all. */
  calls(tool?: string): readonly FxRequest[];
  /** Tools by name. A change here is in the next listing. */
  readonly tools: Map<string, FxTool>;
  /** Scopes by token; null accepts every request. */
  tokens: Map<string, readonly string[]> | null;
  /** Called before each MCP request. */
  intercept: Intercept;
  /** Whether the URL of `url_elicitation` was opened. Only the older revision needs to be told. */
  opened: boolean;
}

const PATH = '/mcp';
const METADATA = '/.well-known/oauth-protected-resource';

export async function startFx(options: FxOptions = {}): Promise<Fx> {
  const requests: FxRequest[] = [];
  const sessions = new Set<string>();
  const listening = await listenHere((incoming, outgoing) => void serve(incoming, outgoing));
  const fx: Fx = {
    ...listening,
    url: `${listening.origin}${PATH}`,
    requests,
    calls: (tool) =>
      requests.filter(({ rpc }) => {
        return rpc?.method === 'tools/call' && (tool === undefined || rpc.params?.['name'] === tool);
      }),
    tools: new Map((options.tools ?? FX_TOOLS).map((tool) => [tool.name, tool])),
    tokens: options.tokens === undefined ? null : new Map(Object.entries(options.tokens)),
    intercept: () => undefined,
    opened: false,
  };
  const speak = speaker(fx, options);

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const request = await recorded(incoming);
    requests.push(request);
    await answerWith(outgoing, await answered(request, webRequest(listening.origin, request, outgoing)));
  }

  async function answered(request: FxRequest, web: Request): Promise<Response> {
    if (request.path.startsWith(METADATA)) return Response.json(metadata(fx, options));
    if (!request.path.startsWith(PATH)) return new Response('nothing here', { status: 404 });
    const refused = (await fx.intercept(request)) ?? unauthorized(fx, request) ?? lostSession(request);
    if (refused !== undefined) return refused;
    return withSession(request, await speak(web));
  }

  function lostSession({ method, headers, rpc }: FxRequest): Response | undefined {
    const session = headers['mcp-session-id'];
    if (session !== undefined && !sessions.has(session)) return new Response('no such session', { status: 404 });
    if (session === undefined) {
      const wanted = options.sessions === true && isOlder(headers) && rpc?.method !== 'initialize';
      return wanted ? new Response('a session id is required', { status: 400 }) : undefined;
    }
    if (method !== 'DELETE') return undefined;
    sessions.delete(session);
    return new Response(null, { status: 204 });
  }

  function withSession({ rpc }: FxRequest, response: Response): Response {
    if (options.sessions !== true || rpc?.method !== 'initialize' || !response.ok) return response;
    const session = `session-${sessions.size + requests.length}`;
    sessions.add(session);
    response.headers.set('mcp-session-id', session);
    return response;
  }
  return fx;
}

const isOlder = (headers: Readonly<Record<string, string>>) => headers['mcp-method'] === undefined;

function speaker(fx: Fx, { era = 'both', cache }: FxOptions): (request: Request) => Promise<Response> {
  const server = (context: McpRequestContext) => serverOf(fx, context, cache);
  if (era === 'legacy') return (request) => legacyStatelessFallback(server)(request);
  const handler = createMcpHandler(server, { legacy: era === 'modern' ? 'reject' : 'stateless', keepAliveMs: 0 });
  return (request) => handler.fetch(request);
}

function serverOf(fx: Fx, { era, requestInfo }: McpRequestContext, cache: FxOptions['cache']): Server {
  const server = new Server(
    { name: 'fx', version: '1.0.0' },
    { capabilities: { tools: {} }, ...(cache === undefined ? {} : { cacheHints: { 'tools/list': cache } }) },
  );
  server.setRequestHandler('tools/list', () => ({ tools: [...fx.tools.values()].map(described) }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    const tool = fx.tools.get(params.name);
    if (tool === undefined) return { isError: true, content: [{ type: 'text', text: `no tool ${params.name}` }] };
    return tool.run({
      args: params.arguments ?? {},
      era,
      headers: Object.fromEntries(requestInfo?.headers ?? []),
      resumed: { state: mcpReq.requestState<string>(), responses: Object.keys(mcpReq.inputResponses ?? {}) },
      opened: fx.opened,
      signal: mcpReq.signal,
    });
  });
  return server;
}

function described({ run: _run, scope: _scope, ...tool }: FxTool): Tool {
  return tool;
}

function metadata({ url }: Fx, { authorizationServers = [], scopesSupported }: FxOptions): object {
  const scopes = scopesSupported === undefined ? {} : { scopes_supported: scopesSupported };
  return { resource: url, authorization_servers: authorizationServers, ...scopes };
}

/** 401 for an unknown token, 403 for a token without the scope. */
function unauthorized(fx: Fx, { headers, rpc }: FxRequest): Response | undefined {
  if (fx.tokens === null) return undefined;
  const challenge = `Bearer resource_metadata="${fx.origin}${METADATA}${PATH}"`;
  const refuse = (status: number, more: string) =>
    Response.json({ error: 'refused' }, { status, headers: { 'www-authenticate': `${challenge}${more}` } });
  const scopes = fx.tokens.get(headers['authorization']?.replace(/^Bearer /, '') ?? '');
  if (scopes === undefined) return refuse(401, headers['authorization'] === undefined ? '' : ', error="invalid_token"');
  const name = rpc?.method === 'tools/call' ? String(rpc.params?.['name']) : '';
  const wanted = fx.tools.get(name)?.scope;
  if (wanted === undefined || scopes.includes(wanted)) return undefined;
  return refuse(403, `, error="insufficient_scope", scope="${wanted}"`);
}

async function recorded(incoming: IncomingMessage): Promise<FxRequest> {
  const body = await bodyOf(incoming);
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
    body,
    rpc: body.startsWith('{') ? (JSON.parse(body) as FxMessage) : null,
  };
}
