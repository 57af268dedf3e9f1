/** One MCP server with two clients: a session through the proxy, and a bare client. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { calling } from '#test/journeys/scripts.ts';
import { startFx, type Fx, type FxOptions } from '#test/mcp/fx.ts';
import { mcp, type McpService } from '#test/mcp/mcp-service.ts';
import { now } from './figures.ts';
import { watch } from './turns.ts';

const TOKEN = 'token-of-alice-0123456789';
const ARGUMENTS = { a: 1, b: 2 };

/** The proxy's milliseconds in a turn with one call, each from an invocation to its end. */
export interface ProxyTimes {
  readonly list: number;
  readonly judge: number;
  readonly call: number;
}

export const ASKED = ['list', 'judge', 'call'] as const satisfies readonly (keyof ProxyTimes)[];

export interface McpStage {
  readonly fx: Fx;
  /** Takes a turn in a session with warm instances. */
  turn(): Promise<ProxyTimes>;
  /** Milliseconds of the same call by the SDK's client, which is connected before. */
  bareCall(): Promise<number>;
  close(): Promise<void>;
}

export async function mcpStage(service: McpService, era: NonNullable<FxOptions['era']>): Promise<McpStage> {
  const fx = await startFx({ era, tokens: { [TOKEN]: [] } });
  const session = await sessionTowards(service, fx);
  const watcher = await watch(service, session);
  const client = new Client({ name: 'bare', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
  const requestInit = { headers: { authorization: `Bearer ${TOKEN}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(fx.url), { requestInit }));
  return {
    fx,
    async turn() {
      service.standIn.script(calling(mcp('sum', ARGUMENTS)));
      const calls = fx.calls().length;
      await service.send(session, 'Add one and two.');
      await watcher.idle();
      if (fx.calls().length !== calls + 1) throw new Error('the call did not reach the server');
      const ended = service.runtime.ended().filter((one) => one.function === 'mcp-proxy');
      const [list, judge, call] = ended.slice(-ASKED.length).map(({ tookMs }) => tookMs);
      if (list === undefined || judge === undefined || call === undefined) throw new Error('the proxy was not asked');
      return { list, judge, call };
    },
    async bareCall() {
      const began = now();
      await client.callTool({ name: 'sum', arguments: ARGUMENTS });
      return now() - began;
    },
    async close() {
      watcher.close();
      await client.close();
      await fx.close();
    },
  };
}

export async function sessionTowards(service: McpService, { url }: Fx): Promise<string> {
  return service.mcpSession({ vaults: [await service.vaultWith('alice', TOKEN, url)], url });
}
