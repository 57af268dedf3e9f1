/**
 * A call as a request to Cedar: may this session (an agent, for a user) use this tool of this server, with these arguments?
 * All facts but the arguments come from the session's record and the pinned manifest.
 */
import type { CallFacts } from '#core/ports/policy.ts';

export type CedarValue = string | number | boolean | CedarValue[] | { [name: string]: CedarValue };

interface CedarId {
  readonly type: string;
  readonly id: string;
}

interface CedarEntity {
  readonly uid: CedarId;
  readonly attrs: Record<string, CedarValue>;
  readonly parents: CedarId[];
}

export interface CedarRequest {
  readonly principal: CedarId;
  readonly action: CedarId;
  readonly resource: CedarId;
  readonly context: Record<string, CedarValue>;
  readonly entities: CedarEntity[];
}

const idOf = (type: string, id: string): CedarId => ({ type: `MA::${type}`, id });
const reference = (type: string, id: string): CedarValue => ({ __entity: { type: `MA::${type}`, id } });

/**
 * The action group of all tools. Neither it nor a host contains a slash, and every tool's action does, so that no name can
 * be taken for another.
 */
export const CALL_TOOL = 'callTool';

/** `<host of the server>/<tool>` */
export function actionName(url: string, tool: string): string {
  return `${hostOf(url)}/${tool}`;
}

/** Contains the port unless it is the scheme's default. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/** The question without arguments: it can tell whether any call of the tool could be allowed. */
export function toolRequest(facts: CallFacts): CedarRequest {
  const { session, agent, user, server, tool } = facts;
  const action = idOf('Action', actionName(server.url, tool.name));
  const principal = idOf('Session', session);
  const resource = idOf('McpServer', server.url);
  const isFor = user === null ? {} : { user: reference('User', user) };
  const attrs = { agent: reference('Agent', agent.id), depth: facts.thread.depth, ...isFor };
  return {
    principal,
    action,
    resource,
    context: { call: { thread_primary: facts.thread.isPrimary, hints: hintsOf(facts) } },
    entities: [
      { uid: principal, attrs, parents: [idOf('Workspace', facts.workspace)] },
      { uid: idOf('Agent', agent.id), attrs: { name: agent.name.toWellFormed(), version: agent.version }, parents: [] },
      { uid: action, attrs: {}, parents: [idOf('Action', CALL_TOOL), idOf('Action', hostOf(server.url))] },
      { uid: resource, attrs: { host: hostOf(server.url), name: server.name.toWellFormed() }, parents: [] },
    ],
  };
}

export function callRequest(
  facts: CallFacts,
  { args, bytes }: { readonly args: Record<string, CedarValue>; readonly bytes: number },
): CedarRequest {
  const request = toolRequest(facts);
  const now = { __extn: { fn: 'datetime', arg: facts.at } };
  const call = { ...(request.context['call'] as Record<string, CedarValue>), ...{ now, args_bytes: bytes } };
  return { ...request, context: { call: { ...call, approved_by_human: facts.isConfirmed }, args } };
}

/** The server's own claims about its tool. They are pinned, but the service cannot check them. */
function hintsOf({ tool: { hints } }: CallFacts): Record<string, CedarValue> {
  const known = [
    ['read_only', hints.readOnlyHint],
    ['destructive', hints.destructiveHint],
    ['idempotent', hints.idempotentHint],
    ['open_world', hints.openWorldHint],
  ] as const;
  return Object.fromEntries(known.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
