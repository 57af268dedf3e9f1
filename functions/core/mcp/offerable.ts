/** Selects the tools of a server that a session may be offered; it quarantines tools that differ from their pins. */
import type { Instant } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';
import { effectiveMcpConfig } from '#core/tools/server-tools.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Caller, KnownServer } from '#core/mcp/caller.ts';
import { factsOf } from '#core/mcp/judge-call.ts';
import { fingerprint, withoutUnseen } from '#core/mcp/pins.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { withoutQuery } from '#core/vault/server-url.ts';
import type { PinnedTool } from '#core/ports/tool-pins.ts';

/** The limit for one server: each call reads all pins, and a server could invent names without end. */
const MAX_PINS = 4000;

interface Seen {
  readonly tool: McpTool;
  readonly sha256: string;
}

interface Offering {
  readonly server: KnownServer;
  readonly user: string | null;
  /** Each has a name of its own. */
  readonly tools: readonly McpTool[];
  /** A moment before the server answered. */
  readonly askedAt: Instant;
}

export async function offerable(
  world: McpProxyWorld,
  caller: Caller,
  { server, user, tools, askedAt }: Offering,
): Promise<readonly McpTool[]> {
  const seen = tools
    .filter(({ name }) => effectiveMcpConfig(caller.agent.tools, { server: server.name, tool: name })?.enabled === true)
    .map(withoutUnseen)
    .map((tool) => ({ tool, sha256: fingerprint(tool, world.sha256) }));
  const [pins] = await Promise.all([
    world.pins.find(caller.workspace, server.url),
    world.policies.prepare(caller.workspace),
  ]);
  const unknown = seen.filter(({ tool }) => !pins.has(tool.name));
  const pinned = unknown.slice(0, Math.max(0, MAX_PINS - pins.size));
  if (pinned.length > 0) await world.pins.pin(caller.workspace, server.url, pinned, world.stamp.now());
  const tooMany = new Set(unknown.slice(pinned.length));
  const drifted = seen.filter((one) => isDrifted(one, pins.get(one.tool.name)));
  const restored = seen.filter((one) => isRestored(one, pins.get(one.tool.name)));
  await Promise.all([
    ...drifted.map((one) => quarantine(world, caller, { server, user, ...one, pinned: pins.get(one.tool.name) })),
    ...restored.map(({ tool: { name }, sha256 }) =>
      world.pins.clearDrift(caller.workspace, server.url, { name, sha256 }, askedAt),
    ),
  ]);
  const same = seen.flatMap((one) => (drifted.includes(one) || tooMany.has(one) ? [] : [one.tool]));
  const visible = await Promise.all(
    same.map((tool) => world.policies.isVisible(factsOf(world, caller, { server, user, tool, isConfirmed: false }))),
  );
  return same.filter((_tool, index) => visible[index] === true);
}

function isDrifted({ sha256 }: Seen, pinned: PinnedTool | undefined): boolean {
  return pinned !== undefined && pinned.sha256 !== sha256;
}

/** The server offers the pinned version again, so that no person needs to approve the version between. */
function isRestored({ sha256 }: Seen, pinned: PinnedTool | undefined): boolean {
  return pinned?.sha256 === sha256 && pinned.drifted !== null;
}

interface Drifting extends Seen, Pick<Offering, 'server' | 'user'> {
  readonly pinned: PinnedTool | undefined;
}

/**
 * Records a drift in the audit trail before it stores it: when the record fails, the next listing tries again. A known
 * drift is stored again, so that a listing which began earlier does not remove it.
 */
async function quarantine(world: McpProxyWorld, caller: Caller, drifting: Drifting): Promise<void> {
  const { server, tool, sha256, pinned } = drifting;
  if (pinned?.drifted?.sha256 !== sha256 && (await record(world, caller, drifting)) === 'unavailable') return;
  await world.pins.drift(caller.workspace, server.url, { tool, sha256 }, world.stamp.now());
}

async function record(
  { audit }: McpProxyWorld,
  { workspace, key }: Caller,
  { server, user, tool, sha256 }: Drifting,
): Promise<'recorded' | 'unavailable'> {
  try {
    await audit.record(workspace, key.session, {
      kind: 'administration',
      action: 'tool_drift',
      vault: null,
      credential: null,
      connect: null,
      user,
      outcome: 'denied',
      reason: `${withoutQuery(server.url)} says of ${tool.name} what was not pinned: ${sha256}`,
    });
    return 'recorded';
  } catch (error) {
    if (error instanceof Fault && error.code === 'audit_unavailable') return 'unavailable';
    throw error;
  }
}
