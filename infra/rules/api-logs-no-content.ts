import { compliantIf, type Rule } from './rule.ts';
import { isObject, list, properties } from './template.ts';

export const apiLogsNoContent: Rule = {
  id: 'api-logs-no-content',
  reason: 'Execution logs of API Gateway hold bodies and headers: content of users, and their keys.',
  judge(resource) {
    if (resource.Type !== 'AWS::ApiGateway::Stage') return 'not-applicable';
    const settings = list(properties(resource)['MethodSettings']);
    return compliantIf(
      settings.every(
        (one) => isObject(one) && one['DataTraceEnabled'] !== true && (one['LoggingLevel'] ?? 'OFF') === 'OFF',
      ),
    );
  },
};
