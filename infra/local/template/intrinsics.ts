import type { Body } from './assembly.ts';
import { ACCOUNT, REGION, identify, nameProperty, type Identity } from './identities.ts';

/** Stands for `AWS::NoValue`: the property that holds it disappears. */
const NO_VALUE = Symbol('AWS::NoValue');

/** What a value may refer to, and where it stands. */
interface Scope {
  readonly body: Body;
  readonly stackName: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly identities: Map<string, Identity>;
  readonly conditions: Map<string, boolean>;
  /** A logical id, for messages. */
  readonly where: string;
}

type Intrinsic = (argument: unknown, scope: Scope) => unknown;

/** Resolves CloudFormation's intrinsic functions against one template, its parameters and the names given to its resources. */
export function createResolver(source: Pick<Scope, 'body' | 'stackName' | 'parameters'>) {
  const scope: Scope = { ...source, identities: new Map(), conditions: new Map(), where: source.stackName };
  return {
    /** @throws when an intrinsic function cannot be resolved; `where` (a logical id) is named */
    resolve: (value: unknown, where: string) => resolve(value, { ...scope, where }),
    condition: (name: string) => condition(name, scope),
    identity: (logicalId: string) => identity(logicalId, { ...scope, where: logicalId }),
  };
}

const INTRINSICS: Readonly<Record<string, Intrinsic>> = {
  Ref: (argument, scope) => ref(text(argument, scope), scope),
  Condition: (argument, scope) => condition(text(argument, scope), scope),
  'Fn::GetAtt': (argument, scope) =>
    getAtt(typeof argument === 'string' ? argument : list(argument, scope).join('.'), scope),
  'Fn::Sub': sub,
  'Fn::If': (argument, scope) => {
    const [name, yes, no] = list(argument, scope);
    return resolve(condition(text(name, scope), scope) ? yes : no, scope);
  },
  'Fn::GetAZs': () => ['a', 'b', 'c'].map((zone) => `${REGION}${zone}`),
  'Fn::Join': ofList(([separator, parts], scope) => {
    const texts = list(parts, scope).map((part) => text(part, scope));
    return texts.join(String(separator));
  }),
  'Fn::Select': ofList(([index, from], scope) => {
    const chosen = list(from, scope)[Number(index)];
    if (chosen === undefined) throw unresolvable('Fn::Select', scope, 'the index is outside the list');
    return chosen;
  }),
  'Fn::Split': ofList(([separator, whole], scope) => text(whole, scope).split(String(separator))),
  'Fn::Equals': ofList(([left, right]) => String(left) === String(right)),
  'Fn::Not': ofList((conditions) => conditions.every((one) => one !== true)),
  'Fn::And': ofList((conditions) => conditions.every((one) => one === true)),
  'Fn::Or': ofList((conditions) => conditions.some((one) => one === true)),
};

/** For a function of a list that is resolved first. */
function ofList(answer: (parts: readonly unknown[], scope: Scope) => unknown): Intrinsic {
  return (argument, scope) => answer(list(resolve(argument, scope), scope), scope);
}

function resolve(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((one) => resolve(one, scope)).filter((one) => one !== NO_VALUE);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [name, argument] = entries.length === 1 ? (entries[0] ?? ['', null]) : ['', null];
  const intrinsic = INTRINSICS[name];
  // An IAM statement has a key `Condition` too, with an object; a reference to a condition is a string.
  if (intrinsic !== undefined && (name !== 'Condition' || typeof argument === 'string')) {
    return intrinsic(argument, scope);
  }
  if (name.startsWith('Fn::')) throw unresolvable(name, scope, 'this runtime does not know it');
  const resolved = entries.map(([key, one]) => [key, resolve(one, scope)] as const);
  return Object.fromEntries(resolved.filter(([, one]) => one !== NO_VALUE));
}

function pseudoParameters(stackName: string): Readonly<Record<string, unknown>> {
  return {
    'AWS::AccountId': ACCOUNT,
    'AWS::NoValue': NO_VALUE,
    'AWS::NotificationARNs': [],
    'AWS::Partition': 'aws',
    'AWS::Region': REGION,
    'AWS::StackId': `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/${stackName}/local`,
    'AWS::StackName': stackName,
    'AWS::URLSuffix': 'amazonaws.com',
  };
}

function ref(name: string, scope: Scope): unknown {
  const pseudo = pseudoParameters(scope.stackName);
  if (name in pseudo) return pseudo[name];
  const parameter = scope.body.Parameters[name];
  if (parameter === undefined) return identity(name, scope).ref;
  const given = scope.parameters[name] ?? parameter.Default;
  if (given === undefined) throw unresolvable(`parameter ${name}`, scope, 'it has no default and no value was given');
  const plural = parameter.Type.startsWith('List<') || parameter.Type === 'CommaDelimitedList';
  return plural ? String(given).split(',') : given;
}

function getAtt(dotted: string, scope: Scope): string {
  const [logicalId = '', ...attribute] = dotted.split('.');
  const value = identity(logicalId, scope).attributes[attribute.join('.')];
  if (value === undefined) throw unresolvable(`Fn::GetAtt ${dotted}`, scope, 'the attribute is not known locally');
  return value;
}

function sub(argument: unknown, scope: Scope): string {
  const [pattern, variables] = Array.isArray(argument) ? argument : [argument];
  const own = new Map(Object.entries(Object(resolve(variables ?? {}, scope))));
  return text(pattern, scope).replace(/\$\{(!?)([^{}]*)\}/g, (_all, literal: string, name: string) => {
    if (literal === '!') return `\${${name}}`;
    if (own.has(name)) return text(own.get(name), scope);
    return text(name.includes('.') ? getAtt(name, scope) : ref(name, scope), scope);
  });
}

function condition(name: string, scope: Scope): boolean {
  const known = scope.conditions.get(name);
  if (known !== undefined) return known;
  if (!(name in scope.body.Conditions)) throw unresolvable(`condition ${name}`, scope, 'it is not defined');
  const verdict = resolve(scope.body.Conditions[name], { ...scope, where: name }) === true;
  scope.conditions.set(name, verdict);
  return verdict;
}

function identity(logicalId: string, scope: Scope): Identity {
  const known = scope.identities.get(logicalId);
  if (known !== undefined) return known;
  const resource = scope.body.Resources[logicalId];
  if (resource === undefined) throw unresolvable(logicalId, scope, 'the template has no such resource');
  const given = resource.Properties[nameProperty(resource.Type) ?? ''];
  const own = { ...scope, where: logicalId };
  const explicit = given === undefined ? null : text(resolve(given, own), own);
  const made = identify(resource.Type, logicalId, { explicit, stack: scope.stackName });
  if (made === null) throw unresolvable(logicalId, scope, `identifiers of ${resource.Type} are not known locally`);
  scope.identities.set(logicalId, made);
  return made;
}

function unresolvable(what: string, scope: Scope, why: string): Error {
  return new Error(`${scope.where}: cannot resolve ${what}: ${why}`);
}

function text(value: unknown, scope: Scope): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw unresolvable('a value', scope, 'a string is expected');
}

function list(value: unknown, scope: Scope): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unresolvable('a value', scope, 'a list is expected');
}
