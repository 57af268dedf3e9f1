import { compliantIf, type Rule } from './rule.ts';
import { properties } from './template.ts';

/** CDK's LambdaInvoke repeats this error six times by default. */
const DEFAULT_RETRY = 'Lambda.ServiceException';

export const runRetriesAreOurs: Rule = {
  id: 'run-retries-are-ours',
  reason:
    'A retry repeats a turn, so each task must state its own retries; without a retry, one throttle would end the run.',
  judge(resource) {
    if (resource.Type !== 'AWS::StepFunctions::StateMachine') return 'not-applicable';
    // Its text, in which `Fn::Sub` fills in the names of functions.
    const definition = JSON.stringify(properties(resource)['DefinitionString'] ?? '').replaceAll('\\"', '"');
    const tasks = definition.match(/"Type":"Task"/g)?.length ?? 0;
    const retried = definition.match(/"Retry":\[\{/g)?.length ?? 0;
    return compliantIf(tasks > 0 && tasks === retried && !definition.includes(DEFAULT_RETRY));
  },
};
