/** Which of a server's tools a session may be offered; those that changed since they were pinned are put aside. */
import type { Instant } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';
import { effectiveMcpConfig } from '#core/tools/effective-config.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Caller, KnownServer } from '#core/mcp/caller.ts';
import { factsOf } from '#core/mcp/judge.ts';
import { fingerprint, withoutUnseen, withOwnName } from '#core/mcp/pins.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { PinnedTool } from '#core/ports/tool-pins.ts';

/** Of one server: a server that thinks up names makes rows that every call reads, so the later ones are not offered. */
const MAX_PINS = 4000;

interface Seen {
  readonly tool: McpTool;
  readonly sha256: string;
}

interface Offering {
  readonly server: KnownServer;
  readonly user: string | null;
  readonly tools: readonly McpTool[];
  /** Before the server said so. */
  readonly askedAt: Instant;
}

export async function offerable(
  world: McpProxyWorld,
  caller: Caller,
  { server, user, tools, askedAt }: Offering,
): Promise<readonly McpTool[]> {
  const seen = withOwnName(tools)
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
      world.pins.settle(caller.workspace, server.url, { name, sha256 }, askedAt),
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

/** The server has gone back to what was pinned, so what it said between needs nobody's approval. */
function isRestored({ sha256 }: Seen, pinned: PinnedTool | undefined): boolean {
  return pinned?.sha256 === sha256 && pinned.drifted !== null;
}

interface Drifting extends Seen, Pick<Offering, 'server' | 'user'> {
  readonly pinned: PinnedTool | undefined;
}

/**
 * Recorded before it is remembered: what could not be recorded is news to the next listing, too. What is no news is
 * remembered again, so that a listing which began before this one does not take it for settled.
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
      reason: `${server.url.replace(/\?.*$/, '')} says of ${tool.name} what was not pinned: ${sha256}`,
    });
    return 'recorded';
  } catch (error) {
    if (error instanceof Fault && error.code === 'audit_unavailable') return 'unavailable';
    throw error;
  }
}
