import { compliantIf, type Rule } from './rule.ts';
import {
  allowed,
  allows,
  functionOf,
  list,
  mentions,
  type PolicyStatement,
  properties,
  proxyRole,
  type Resource,
  target,
  type Template,
} from './template.ts';

const INVOKE = ['lambda:InvokeFunction', 'lambda:InvokeAsync', 'lambda:InvokeFunctionUrl'];
/** Resources that let something else than a role invoke a function. */
const OTHER_CALLERS = ['AWS::Lambda::Permission', 'AWS::Lambda::Url', 'AWS::Lambda::EventSourceMapping'];

export const onlyTheProxyAsksEgress: Rule = {
  id: 'only-the-proxy-asks-egress',
  reason:
    'The function egress answers with secrets that the proxy puts into requests. The proxy speaks to programs of agents and to the internet, so its role may do nothing but ask.',
  judge(resource, template) {
    const egress = idOfEgress(template);
    const role = proxyRole(template);
    if (OTHER_CALLERS.includes(resource.Type)) {
      const { FunctionName, TargetFunctionArn } = properties(resource);
      const callee = target(FunctionName ?? TargetFunctionArn);
      return callee === undefined || callee === egress ? 'not-compliant' : 'not-applicable';
    }
    const isRole = role !== undefined && resource === template.Resources[role];
    const holders = isRole ? [role] : list(properties(resource)['Roles']).map(target);
    const statements = allowed(resource);
    if (holders.includes(role) && role !== undefined) {
      const onlyAsks = statements.every((statement) => isAsking(statement, egress)) && !hasManagedPolicy(resource);
      return compliantIf(onlyAsks && holders.every((holder) => holder === role));
    }
    if (resource.Type === 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    return statements.some((statement) => mayAsk(statement, egress)) ? 'not-compliant' : 'not-applicable';
  },
};

function idOfEgress(template: Template): string | undefined {
  const egress = functionOf(template, 'egress');
  return Object.keys(template.Resources).find((id) => egress !== undefined && template.Resources[id] === egress);
}

function isAsking({ Action, Resource }: PolicyStatement, egress: string | undefined): boolean {
  const asks = Action.every((action) => action === 'lambda:InvokeFunction');
  return asks && Resource.every((one) => target(one) !== undefined && target(one) === egress);
}

function hasManagedPolicy(resource: Resource): boolean {
  return list(properties(resource)['ManagedPolicyArns']).length > 0;
}

/** A resource with a wildcard and without a reference may be any function. */
function mayAsk(statement: PolicyStatement, egress: string | undefined): boolean {
  if (!INVOKE.some((action) => allows(statement, action))) return false;
  return statement.Resource.some((one) => {
    const named = mentions(one).filter((id) => !id.startsWith('AWS::'));
    return named.length === 0 ? JSON.stringify(one).includes('*') : egress !== undefined && named.includes(egress);
  });
}
