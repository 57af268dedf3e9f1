/** Which of a server's tools a session may be offered; those that changed since they were pinned are put aside. */
import type { McpTool } from '#contract/mcp.ts';
import { effectiveMcpConfig } from '#core/agents/effective-config.ts';
import { Fault } from '#core/errors.ts';
import type { Acting, KnownServer } from '#core/mcp/acting.ts';
import { factsOf } from '#core/mcp/judge.ts';
import { fingerprint, withoutUnseen, withOwnName } from '#core/mcp/manifest.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { PinnedTool } from '#core/mcp/tool-pins.ts';

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
}

export async function offerable(
  world: McpProxyWorld,
  acting: Acting,
  { server, user, tools }: Offering,
): Promise<readonly McpTool[]> {
  const seen = withOwnName(tools)
    .filter(({ name }) => effectiveMcpConfig(acting.agent.tools, { server: server.name, tool: name })?.enabled === true)
    .map(withoutUnseen)
    .map((tool) => ({ tool, sha256: fingerprint(tool, world.sha256) }));
  const [pins] = await Promise.all([
    world.pins.find(acting.workspace, server.url),
    world.policies.prepare(acting.workspace),
  ]);
  const unknown = seen.filter(({ tool }) => !pins.has(tool.name));
  const pinned = unknown.slice(0, Math.max(0, MAX_PINS - pins.size));
  if (pinned.length > 0) await world.pins.pin(acting.workspace, server.url, pinned, world.stamp.now());
  const tooMany = new Set(unknown.slice(pinned.length));
  const drifted = seen.filter((one) => isDrifted(one, pins.get(one.tool.name)));
  const news = drifted.filter(({ tool, sha256 }) => pins.get(tool.name)?.drifted?.sha256 !== sha256);
  await Promise.all(news.map((one) => quarantine(world, acting, { server, user, ...one })));
  const same = seen.flatMap((one) => (drifted.includes(one) || tooMany.has(one) ? [] : [one.tool]));
  const visible = await Promise.all(
    same.map((tool) => world.policies.isVisible(factsOf(world, acting, { server, user, tool, isConfirmed: false }))),
  );
  return same.filter((_tool, index) => visible[index] === true);
}

function isDrifted({ sha256 }: Seen, pinned: PinnedTool | undefined): boolean {
  return pinned !== undefined && pinned.sha256 !== sha256;
}

/** Recorded before it is remembered: what could not be recorded is news to the next listing, too. */
async function quarantine(
  { audit, pins, stamp }: McpProxyWorld,
  { workspace, key }: Acting,
  { server, user, tool, sha256 }: Seen & Omit<Offering, 'tools'>,
): Promise<void> {
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
  } catch (error) {
    if (error instanceof Fault && error.code === 'audit_unavailable') return;
    throw error;
  }
  await pins.drift(workspace, server.url, { tool, sha256 }, stamp.now());
}
