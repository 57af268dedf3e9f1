/** The parts of a synthesized template that the rules read. */
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
}

export interface Resource {
  readonly Type: string;
  readonly Properties?: Properties;
}

export type Properties = Readonly<Record<string, unknown>>;

export interface PolicyStatement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: readonly unknown[];
  readonly Condition: Readonly<Record<string, Properties>>;
}

export function properties(resource: Resource): Properties {
  return resource.Properties ?? {};
}

/** One value or a list of them, as CloudFormation writes both. */
export function list(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** The logical id in a `Ref` or `Fn::GetAtt`. */
export function target(value: unknown): string | undefined {
  if (!isObject(value)) return undefined;
  if (typeof value['Ref'] === 'string') return value['Ref'];
  const [id] = list(value['Fn::GetAtt']);
  return typeof id === 'string' ? id : undefined;
}

/** Every logical id that a value mentions, at any depth. */
export function mentions(value: unknown): readonly string[] {
  const own = target(value);
  if (own !== undefined) return [own];
  if (Array.isArray(value)) return value.flatMap(mentions);
  return isObject(value) ? Object.values(value).flatMap(mentions) : [];
}

/** The function of an entry, which has the entry's name as a setting. */
export function functionOf(template: Template, entry: string): Resource | undefined {
  return Object.values(template.Resources).find(
    (resource) => resource.Type === 'AWS::Lambda::Function' && setting(resource, 'POWERTOOLS_SERVICE_NAME') === entry,
  );
}

export function setting(lambda: Resource, name: string): unknown {
  const environment = properties(lambda)['Environment'];
  const variables = isObject(environment) ? environment['Variables'] : undefined;
  return isObject(variables) ? variables[name] : undefined;
}

/** A setting of the function of an entry. */
export function settingOf(template: Template, entry: string, name: string): unknown {
  const lambda = functionOf(template, entry);
  return lambda && setting(lambda, name);
}

/** The literal text after `:secret:` in an ARN; an empty text may be any name. */
export function secretName(arn: unknown): string {
  return /:secret:([^"]*)/.exec(JSON.stringify(arn ?? ''))?.[1] ?? '';
}

/** The beginning of the name of every secret of a vault; empty where the template does not say it. */
export function vaultSecrets(template: Template): string {
  const name = secretName(settingOf(template, 'api', 'SECRETS_PREFIX'));
  return name === '' ? '' : `${name}/`;
}

/** The entry of the function that runs with a role, or undefined when no function does. */
export function entryWithRole(template: Template, role: string | undefined): unknown {
  const lambda = Object.values(template.Resources).find(
    (resource) => resource.Type === 'AWS::Lambda::Function' && target(properties(resource)['Role']) === role,
  );
  return lambda && setting(lambda, 'POWERTOOLS_SERVICE_NAME');
}

/** The entries of the functions with a role that holds a policy; undefined for a role of no function. */
export function holdersOf(policy: Resource, template: Template): readonly unknown[] {
  return list(properties(policy)['Roles']).map((role) => entryWithRole(template, target(role)));
}

/** The task definition of the egress proxy, unless a function starts other tasks from it too. */
function proxyDefinition(template: Template): Resource | undefined {
  const named = (kind: string) => target(settingOf(template, 'provision', `${kind}_TASK_DEFINITION`));
  const id = named('EGRESS');
  if (id === undefined || id === named('SANDBOX') || id === named('PACKAGES')) return undefined;
  return template.Resources[id];
}

export function isProxyDefinition(resource: Resource, template: Template): boolean {
  return resource === proxyDefinition(template);
}

/** The logical id of the role that the egress proxy runs with. */
export function proxyRole(template: Template): string | undefined {
  const definition = proxyDefinition(template);
  return definition && target(properties(definition)['TaskRoleArn']);
}

/** The statements that allow something, of a policy resource or of the inline policies of a role. */
export function allowed(resource: Resource): readonly PolicyStatement[] {
  const { PolicyDocument, Policies } = properties(resource);
  const documents = [
    PolicyDocument,
    ...list(Policies).map((policy) => (isObject(policy) ? policy['PolicyDocument'] : undefined)),
  ];
  return documents
    .flatMap((document) => (isObject(document) ? list(document['Statement']) : []))
    .filter(isObject)
    .filter((statement) => statement['Effect'] === 'Allow')
    .map(normalized);
}

/** Whether a statement allows an action, also by a pattern such as `*` or `service:*`. */
export function allows(statement: PolicyStatement, action: string): boolean {
  return statement.Action.some((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 'i').test(action));
}

export function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function normalized(statement: Properties): PolicyStatement {
  const condition = statement['Condition'];
  return {
    Effect: 'Allow',
    // NotAction and NotResource allow all but a few, so rules judge them as all.
    Action: 'NotAction' in statement ? ['*'] : list(statement['Action']).map(String),
    Resource: 'NotResource' in statement ? ['*'] : list(statement['Resource']),
    Condition: isObject(condition) ? (condition as PolicyStatement['Condition']) : {},
  };
}

/** Whether a statement may be about items of a table; undefined is a table that the template does not name. */
export function reachesTable({ Action, Resource }: PolicyStatement, table: string | undefined): boolean {
  if (!Action.some((action) => action === '*' || action.startsWith('dynamodb:'))) return false;
  // A resource without a reference into this template could be any table.
  return Resource.some((one) => table === undefined || mentions(one).includes(table) || mentions(one).length === 0);
}
