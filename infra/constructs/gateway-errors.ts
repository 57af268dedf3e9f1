import { ResponseType, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { MAX_BODY_BYTES } from '#contract/content.ts';
import { MAX_FILE_BYTES } from '#contract/files.ts';

/** The errors that API Gateway answers by itself, in the form of the contract, so that the SDK knows them. */
const ERRORS = [
  {
    type: ResponseType.THROTTLED,
    statusCode: '429',
    error: 'rate_limit_error',
    message: 'Too many requests: wait a moment and send it again.',
    headers: { 'retry-after': "'1'" },
  },
  {
    // API Gateway answers so if the customer adds a usage plan.
    type: ResponseType.QUOTA_EXCEEDED,
    statusCode: '429',
    error: 'rate_limit_error',
    message: 'The quota of requests is used up.',
    headers: { 'retry-after': "'60'" },
  },
  {
    // API Gateway answers so if the customer adds a web ACL.
    type: ResponseType.WAF_FILTERED,
    statusCode: '403',
    error: 'permission_error',
    message: 'A firewall refused the request.',
  },
  {
    // API Gateway answers so if the customer adds a resource policy.
    type: ResponseType.ACCESS_DENIED,
    statusCode: '403',
    error: 'permission_error',
    message: 'A policy refused the request.',
  },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    statusCode: '413',
    error: 'request_too_large',
    // API Gateway takes 10 MB; the function behind it takes less.
    message:
      `The request body is larger than the limit of ${MAX_BODY_BYTES / 1_000_000} MB. Files of up to ${MAX_FILE_BYTES / 1_000_000} MB ` +
      'are taken by POST /v1/x/uploads and by npx brainstem upload FILE.',
  },
  {
    // API Gateway answers so when no route matches.
    type: ResponseType.MISSING_AUTHENTICATION_TOKEN,
    statusCode: '404',
    error: 'not_found_error',
    message: 'There is no such route.',
  },
  {
    // When no route matches, API Gateway looks for an AWS signature in an `Authorization` header.
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
    // API Gateway would choose from 500 to 504, and 504 means a timeout.
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
      responseHeaders: { 'request-id': 'context.requestId', 'cache-control': "'no-store'", ...headers },
      templates: { 'application/json': JSON.stringify(envelope) },
    });
  }
}
