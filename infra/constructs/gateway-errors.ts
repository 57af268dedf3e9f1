import { ResponseType, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { MAX_BODY_BYTES } from '#contract/content.ts';

/** What API Gateway answers by itself, in the words of the contract, so that the SDK sees errors it knows. */
const ERRORS = [
  {
    type: ResponseType.THROTTLED,
    statusCode: '429',
    error: 'rate_limit_error',
    message: 'Too many requests: wait a moment and send it again.',
    headers: { 'retry-after': "'1'" },
  },
  {
    // Of a usage plan, where the customer adds one.
    type: ResponseType.QUOTA_EXCEEDED,
    statusCode: '429',
    error: 'rate_limit_error',
    message: 'The quota of requests is used up.',
    headers: { 'retry-after': "'60'" },
  },
  {
    // Of a web ACL, where the customer adds one.
    type: ResponseType.WAF_FILTERED,
    statusCode: '403',
    error: 'permission_error',
    message: 'A firewall refused the request.',
  },
  {
    // Of a resource policy, where the customer adds one.
    type: ResponseType.ACCESS_DENIED,
    statusCode: '403',
    error: 'permission_error',
    message: 'A policy refused the request.',
  },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    statusCode: '413',
    error: 'request_too_large',
    // API Gateway itself takes 10 MB; a client has to stay below the smaller limit of the function behind it.
    message: `The request body is larger than the limit of ${MAX_BODY_BYTES / 1_000_000} MB.`,
  },
  {
    // API Gateway says so when no route matches.
    type: ResponseType.MISSING_AUTHENTICATION_TOKEN,
    statusCode: '404',
    error: 'not_found_error',
    message: 'There is no such route.',
  },
  {
    // The same, where the request carries `Authorization`: API Gateway then looks for an AWS signature in it.
    type: ResponseType.INVALID_SIGNATURE,
    statusCode: '404',
    error: 'not_found_error',
    message: 'There is no such route.',
  },
  {
    type: ResponseType.INTEGRATION_TIMEOUT,
    statusCode: '504',
    error: 'timeout_error',
    message: 'The request took longer than 29 seconds.',
  },
  { type: ResponseType.DEFAULT_4XX, error: 'invalid_request_error', message: 'The gateway refused the request.' },
  {
    // API Gateway's own choice varies from 500 to 504, and 504 is what a timeout says.
    type: ResponseType.DEFAULT_5XX,
    statusCode: '500',
    error: 'api_error',
    message: 'The gateway could not answer the request.',
  },
];

export function answerInEnvelope(api: RestApi): void {
  for (const { type, statusCode, error, message, headers } of ERRORS) {
    const envelope = { type: 'error', error: { type: error, message }, request_id: '$context.requestId' };
    api.addGatewayResponse(type.responseType, {
      type,
      ...(statusCode && { statusCode }),
      responseHeaders: { 'request-id': 'context.requestId', ...headers },
      templates: { 'application/json': JSON.stringify(envelope) },
    });
  }
}
