import { compliantIf, type Rule } from './rule.ts';
import { allowed, allows, holdersOf, isObject, type PolicyStatement } from './template.ts';

/** Actions that a provider bills. */
const ASKING = [
  'bedrock:InvokeModel',
  'bedrock:InvokeModelWithResponseStream',
  'bedrock-mantle:CreateInference',
  'aws-external-anthropic:CreateInference',
];

export const onlyHarnessAsksTheModel: Rule = {
  id: 'only-harness-asks-the-model',
  reason: 'Another function that asks the model would spend money that no session’s log records.',
  judge(resource, template) {
    const asking = allowed(resource).filter(isAsking);
    if (asking.length === 0) return 'not-applicable';
    const holders = holdersOf(resource, template);
    const isHarness = holders.length > 0 && holders.every((entry) => entry === 'harness');
    return compliantIf(isHarness && asking.every(namesTheModel));
  },
};

function isAsking(statement: PolicyStatement): boolean {
  return ASKING.some((action) => allows(statement, action));
}

/** Only these actions, and only models of this maker. */
function namesTheModel({ Action, Resource }: PolicyStatement): boolean {
  return Action.every((action) => ASKING.includes(action)) && Resource.every((one) => /anthropic/.test(textOf(one)));
}

function textOf(resource: unknown): string {
  return isObject(resource) ? JSON.stringify(resource) : String(resource);
}
