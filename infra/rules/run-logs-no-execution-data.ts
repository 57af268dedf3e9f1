import { compliantIf, type Rule } from './rule.ts';
import { isObject, properties } from './template.ts';

export const runLogsNoExecutionData: Rule = {
  id: 'run-logs-no-execution-data',
  reason: 'If the data of a run ever holds more than ids, its log must not show it.',
  judge(resource) {
    if (resource.Type !== 'AWS::StepFunctions::StateMachine') return 'not-applicable';
    const logging = properties(resource)['LoggingConfiguration'];
    return compliantIf(isObject(logging) && logging['IncludeExecutionData'] === false && logging['Level'] === 'ERROR');
  },
};
