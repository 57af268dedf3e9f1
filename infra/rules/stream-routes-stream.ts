import { compliantIf, type Rule } from './rule.ts';
import { functionOf, isObject, mentions, properties } from './template.ts';

const FIFTEEN_MINUTES_MS = 900_000;

export const streamRoutesStream: Rule = {
  id: 'stream-routes-stream',
  reason: 'API Gateway holds back the events of a buffered route until the stream ends, and ends it after 29 seconds.',
  judge(resource, template) {
    if (resource.Type !== 'AWS::ApiGateway::Method') return 'not-applicable';
    const integration = properties(resource)['Integration'];
    if (!isObject(integration)) return 'not-compliant';
    const streamFunction = functionOf(template, 'stream');
    const toStream = mentions(integration['Uri']).some((id) => template.Resources[id] === streamFunction);
    const streamed = integration['ResponseTransferMode'] === 'STREAM';
    if (!toStream) return compliantIf(!streamed);
    return compliantIf(streamed && integration['TimeoutInMillis'] === FIFTEEN_MINUTES_MS);
  },
};
