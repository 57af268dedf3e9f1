/**
 * The schema against which policies are validated when they are uploaded: the attributes of every call, and the argument
 * types of each pinned tool. It is made from the approved manifests, not from what a server says today.
 */
import type { KnownTool } from '#core/ports/policy.ts';
import { argumentTypes, type ArgumentField, type ArgumentType } from '#core/policy/argument-types.ts';
import { argumentName } from '#core/policy/arguments.ts';
import { actionName, CALL_TOOL, hostOf } from '#core/policy/cedar-request.ts';

type CedarType =
  | { type: 'String' | 'Long' | 'Boolean' }
  | { type: 'Extension' | 'Entity'; name: string }
  | { type: 'Set'; element: CedarType }
  | CedarRecord;
interface CedarRecord {
  type: 'Record';
  attributes: Record<string, CedarType & { required?: boolean }>;
}

interface CedarAction {
  memberOf?: { id: string }[];
  appliesTo?: { principalTypes: string[]; resourceTypes: string[]; context: CedarRecord };
}

export interface CedarSchema extends Record<string, unknown> {
  MA: {
    entityTypes: Record<string, { shape?: CedarRecord; memberOfTypes?: string[] }>;
    actions: Record<string, CedarAction>;
  };
}

/**
 * Stands for every tool that is not pinned. A policy about all tools must check that an argument is present before it
 * reads the argument, because this tool has none.
 */
const ANOTHER_TOOL = 'another tool';

const record = (attributes: CedarRecord['attributes']): CedarRecord => ({ type: 'Record', attributes });
const FLAG = { type: 'Boolean' } as const;
const OPTIONAL_FLAG = { ...FLAG, required: false };

const HINTS = record({
  read_only: OPTIONAL_FLAG,
  destructive: OPTIONAL_FLAG,
  idempotent: OPTIONAL_FLAG,
  open_world: OPTIONAL_FLAG,
});

const CALL = record({
  thread_primary: FLAG,
  approved_by_human: FLAG,
  args_bytes: { type: 'Long' },
  now: { type: 'Extension', name: 'datetime' },
  hints: HINTS,
});

const ENTITY_TYPES: CedarSchema['MA']['entityTypes'] = {
  Workspace: {},
  User: {},
  /** The type of a number or a text that policies cannot judge. */
  Opaque: {},
  Agent: { shape: record({ name: { type: 'String' }, version: { type: 'Long' } }) },
  McpServer: { shape: record({ host: { type: 'String' }, name: { type: 'String' } }) },
  Session: {
    memberOfTypes: ['Workspace'],
    shape: record({
      agent: { type: 'Entity', name: 'Agent' },
      user: { type: 'Entity', name: 'User', required: false },
      depth: { type: 'Long' },
    }),
  },
};

/** What of the tools a policy set can tell apart. */
interface Told {
  /** Actions that policies name: each of them stays an action of its own. */
  readonly actions: ReadonlySet<string>;
  /** Whether they may read an argument of this name; one that they do not read changes no policy's type. */
  readonly reads: (argument: string) => boolean;
}

/** The names of all actions: of each tool, of each host, and of all tools together. */
export function cedarActions(tools: readonly KnownTool[]): ReadonlySet<string> {
  return new Set([
    CALL_TOOL,
    ANOTHER_TOOL,
    ...tools.flatMap(({ url, tool }) => [actionName(url, tool.name), hostOf(url)]),
  ]);
}

/** Tools of one host that the policies cannot tell apart become one action. */
export function cedarSchema(tools: readonly KnownTool[], told: Told): CedarSchema {
  const seen = new Set<string>();
  const actions = new Map<string, CedarAction>([
    [CALL_TOOL, {}],
    [ANOTHER_TOOL, action([CALL_TOOL], new Map())],
  ]);
  // Servers with one host and different paths share the action of tools of one name: only what all of them say holds.
  const byAction = Map.groupBy(tools, ({ url, tool }) => actionName(url, tool.name));
  for (const [name, same] of byAction) {
    const host = hostOf(same[0]?.url ?? '');
    actions.set(host, {});
    const fields = same.map(({ tool }) => argumentTypes(tool.input_schema)).reduce(common);
    const form = action([CALL_TOOL, host], new Map([...fields].filter(([field]) => told.reads(argumentName(field)))));
    const key = JSON.stringify(form);
    if (told.actions.has(name) || !seen.has(key)) actions.set(name, form);
    seen.add(key);
  }
  return { MA: { entityTypes: ENTITY_TYPES, actions: Object.fromEntries(actions) } };
}

function action(groups: readonly string[], fields: ReadonlyMap<string, ArgumentField>): CedarAction {
  return {
    memberOf: groups.map((id) => ({ id })),
    appliesTo: {
      principalTypes: ['Session'],
      resourceTypes: ['McpServer'],
      context: record({ call: CALL, args: argumentRecord(fields) }),
    },
  };
}

/** Leaves out an argument without a type that Cedar knows, because nothing that a policy says of it can be validated. */
function argumentRecord(fields: ReadonlyMap<string, ArgumentField>): CedarRecord {
  const attributes = [...fields].flatMap(([name, { type, required }]) => {
    const cedar = cedarType(type);
    return cedar === null ? [] : [[argumentName(name), { ...cedar, required }] as const];
  });
  return record(Object.fromEntries(attributes));
}

function cedarType(type: ArgumentType): CedarType | null {
  switch (type.kind) {
    case 'string':
      return { type: 'String' };
    case 'integer':
      return { type: 'Long' };
    case 'number':
      return { type: 'Extension', name: 'decimal' };
    case 'boolean':
      return FLAG;
    case 'array': {
      const element = cedarType(type.item);
      return element === null ? null : { type: 'Set', element };
    }
    case 'object':
      return argumentRecord(type.fields);
    case 'any':
      return null;
    default:
      return type satisfies never;
  }
}

function common(
  one: ReadonlyMap<string, ArgumentField>,
  other: ReadonlyMap<string, ArgumentField>,
): ReadonlyMap<string, ArgumentField> {
  const shared = [...one].flatMap(([name, field]) => {
    const twin = other.get(name);
    if (twin === undefined || JSON.stringify(cedarType(twin.type)) !== JSON.stringify(cedarType(field.type))) return [];
    return [[name, { ...field, required: field.required && twin.required }] as const];
  });
  return new Map(shared);
}
