/** The whole service on a template that may reach MCP servers on this machine, and one such server. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { paginateScan } from '@aws-sdk/client-dynamodb';
import { USER_KEY } from '#contract/vaults.ts';
import type { BrainstemProps } from '#infra/brainstem.ts';
import type { ReplyTool } from '#infra/local/model/script.ts';
import { stackAssembly } from '#test/infra/synthesized.ts';
import { startService, type Service, type ServiceOptions } from '#test/journeys/service.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { startFx, type Fx, type FxOptions } from '#test/mcp/fx.ts';
import { engineClient } from '#test/runtime/engine-client.ts';
import { IDLE_STREAM_SECONDS } from '#test/synth.ts';

type Policy = 'always_allow' | 'always_ask' | 'auto';

export interface McpService extends Service {
  readonly fx: Fx;
  /** A vault that belongs to this user. */
  vaultOf(user: string): Promise<string>;
  /** The same with a bearer token for the server, or for another one. */
  vaultWith(user: string, token: string, url?: string): Promise<string>;
  /**
   * A session with an agent that may use the tools of the server, or of another one, and with these vaults in this
   * order.
   */
  mcpSession(options: {
    readonly vaults: readonly string[];
    readonly policy?: Policy;
    readonly url?: string;
  }): Promise<string>;
  /** A request to an operation that the SDK lacks. Returns the parsed response. */
  extension(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }>;
  /**
   * Every file that the service has written, as text, by its path below the data folder, except the files of Secrets
   * Manager.
   */
  written(): ReadonlyMap<string, string>;
  /** The files of Secrets Manager. */
  secretFiles(): ReadonlyMap<string, string>;
  /** Every item of every table as JSON, by the table's name. Binary values are shown as text. */
  rows(): Promise<ReadonlyMap<string, string>>;
  /** The inputs and outputs of the state machine in all executions. */
  executed(): string;
}

export interface McpServiceOptions extends ServiceOptions {
  readonly fx?: FxOptions;
  readonly props?: BrainstemProps;
  /** The settings that name the server. */
  readonly propsFor?: (fx: Fx) => BrainstemProps;
}

/** A call of one of the server's tools, under the name that the model knows. */
export const mcp = (tool: string, input: Readonly<Record<string, unknown>> = {}): ReplyTool => ({
  name: `mcp__fx__${tool}`,
  input,
});

export async function startMcpService(options: McpServiceOptions = {}): Promise<McpService> {
  const { fx: fxOptions, props, propsFor, ...others } = options;
  const fx = await startFx(fxOptions);
  const wishes = { ...props, ...propsFor?.(fx) };
  const service = await startService({
    ...others,
    ...(Object.keys(wishes).length > 0 && { cdkOut: assemblyWith(wishes) }),
  });
  const { agents, environments, sessions, vaults } = service.client.beta;

  const vaultOf = async (user: string) =>
    (await vaults.create({ display_name: user, metadata: { [USER_KEY]: user } })).id;

  return {
    ...service,
    fx,
    vaultOf,
    async vaultWith(user, token, url = fx.url) {
      const vault = await vaultOf(user);
      await vaults.credentials.create(vault, { auth: { type: 'static_bearer', mcp_server_url: url, token } });
      return vault;
    },
    async mcpSession({ vaults: ids, policy = 'always_allow', url = fx.url }) {
      const agent = await agents.create({
        name: 'Ada',
        model: 'claude-opus-5',
        mcp_servers: [{ type: 'url', name: 'fx', url }],
        tools: [
          { type: 'agent_toolset_20260401' },
          { type: 'mcp_toolset', mcp_server_name: 'fx', default_config: { permission_policy: { type: policy } } },
        ],
      });
      const environment = await environments.create({ name: 'lab' });
      const { id } = await sessions.create({
        agent: agent.id,
        environment_id: environment.id,
        vault_ids: [...ids],
      });
      return id;
    },
    async extension(method, path, body) {
      const response = await fetch(`${service.runtime.baseUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${service.runtime.apiKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    },
    written: () => filesBelow(service.data, (name) => !isSecret(name)),
    secretFiles: () => filesBelow(service.data, isSecret),
    rows: () => rowsOf(service),
    executed() {
      const { template, aws } = service.runtime;
      const executions = template.machines.flatMap(({ arn }) => aws.stepFunctions.executions(arn));
      return JSON.stringify(executions.map((one) => [one, aws.stepFunctions.history(one.arn)]));
    },
    async close() {
      await service.close().finally(() => fx.close());
    },
  };
}

/** The template of the service tests with more options. */
const assemblyWith = (props: BrainstemProps): string =>
  stackAssembly({ mcp: { allow: ALLOW_HERE }, idleStreamSeconds: IDLE_STREAM_SECONDS, ...props });

const isSecret = (name: string) => name.startsWith('secrets/');

function filesBelow(root: string, isWanted: (name: string) => boolean): ReadonlyMap<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => isWanted(name) && statSync(join(root, name)).isFile());
  return new Map(files.map((name) => [name, readFileSync(join(root, name), 'latin1')]));
}

async function rowsOf({ runtime }: Service): Promise<ReadonlyMap<string, string>> {
  const dynamodb = engineClient(runtime);
  const tables = await Promise.all(
    runtime.template.tables.map(async ({ name: TableName }) => {
      const items: unknown[] = [];
      for await (const page of paginateScan({ client: dynamodb }, { TableName })) items.push(...(page.Items ?? []));
      return [TableName, JSON.stringify(items, (_key, value: unknown) => legible(value))] as const;
    }),
  );
  dynamodb.destroy();
  return new Map(tables);
}

function legible(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
}
