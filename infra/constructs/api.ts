import { Duration } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  ResponseTransferMode,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledgeApi } from './api-acknowledgements.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import { answerInEnvelope } from './gateway-errors.ts';
import type { Options } from '../options/options.ts';
import { perMinute } from './per-minute.ts';
import type { Stores } from './stores.ts';

export interface ApiProps extends Stores {
  readonly defaults: FunctionDefaults;
  readonly throttle: Options['throttle'];
  readonly rateLimits: Options['rateLimits'];
  readonly maxOpenStreams: Options['maxOpenStreams'];
  readonly idleStreamSeconds: Options['idleStreamSeconds'];
}

/** The routes whose responses stay open, or are larger than a buffered response. The function `answer` serves all others. */
const STREAM_ROUTES = [
  'v1/sessions/{session_id}/events/stream',
  'v1/sessions/{session_id}/threads/{thread_id}/stream',
  'v1/files/{file_id}/content',
  'v1/skills/{skill_id}/versions/{version}/content',
];

const STAGE = 'prod';

/** The fields of an access log line: ids, counts and durations, but no path with an id in it and no content. */
const ACCESS_LINE = {
  request: '$context.requestId',
  time: '$context.requestTimeEpoch',
  ip: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  route: '$context.resourcePath',
  status: '$context.status',
  duration_ms: '$context.responseLatency',
  integration_ms: '$context.integrationLatency',
  bytes: '$context.responseLength',
  error: '$context.error.responseType',
};

/** The HTTP surface: a Regional REST API before two functions, one that answers and one that streams. */
export class Api extends Construct {
  readonly answer: EntryFunction;
  readonly stream: EntryFunction;
  readonly rest: RestApi;

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id);
    this.answer = this.#answerFunction(props);
    this.stream = this.#streamFunction(props);
    this.rest = this.#restApi(props);
    // CDK's own output repeats the base URL, with a slash too many.
    this.rest.node.tryRemoveChild('Endpoint');
    this.#routes();
    answerInEnvelope(this.rest);
    acknowledgeApi(this.rest);
  }

  get host(): string {
    return `${this.rest.restApiId}.execute-api.${this.rest.env.region}.${this.rest.stack.urlSuffix}`;
  }

  /** The base URL for functions behind this API: the stage depends on them, so their settings cannot refer to it. */
  get invokeUrl(): string {
    return `https://${this.host}/${STAGE}`;
  }

  get baseUrl(): string {
    return `https://${this.host}/${this.rest.deploymentStage.stageName}`;
  }

  #answerFunction({ defaults, log, records, content, rateLimits }: ApiProps): EntryFunction {
    const answer = new EntryFunction(this, 'Answer', {
      entry: 'api',
      defaults,
      // API Gateway gives up after 29 seconds.
      timeout: Duration.seconds(29),
      memoryMb: 512,
    });
    log.grantAppendAndRemove(answer);
    records.grantRead(answer);
    records.grantWrite(answer);
    records.grantList(answer);
    records.grantReadTogether(answer);
    records.grantRemove(answer);
    content.grantReadWrite(answer);
    content.grantRemove(answer);
    content.grantReadWriteBlobs(answer);
    answer.receive(settingsOf(rateLimits));
    return answer;
  }

  #streamFunction({ defaults, log, records, content, rateLimits, ...streams }: ApiProps): EntryFunction {
    const stream = new EntryFunction(this, 'Stream', {
      entry: 'stream',
      defaults,
      timeout: Duration.minutes(15),
      // Each open stream occupies an instance, which waits most of the time: its processor would do with 128 MB, but a
      // message of 4 MB takes it to 143 MB (docs/quotas.md).
      memoryMb: 192,
      maxInstances: streams.maxOpenStreams === 'account' ? undefined : streams.maxOpenStreams,
    });
    log.grantRead(stream);
    records.grantRead(stream);
    content.grantRead(stream);
    content.grantReadBlobs(stream);
    stream.receive({ ...settingsOf(rateLimits), IDLE_STREAM_SECONDS: String(streams.idleStreamSeconds) });
    if (rateLimits.readsPerMinute !== undefined) records.grantSpend(stream);
    return stream;
  }

  #restApi({ defaults, throttle }: ApiProps): RestApi {
    const { logRetention: retention, removalPolicy } = defaults;
    const accessLog = new LogGroup(this, 'AccessLog', { retention, removalPolicy });
    return new RestApi(this, 'Rest', {
      // An edge-optimised API closes a stream after 30 silent seconds, a Regional one after five silent minutes.
      endpointTypes: [EndpointType.REGIONAL],
      // Bodies of other types are text to API Gateway, which replaces the bytes that are no UTF-8.
      binaryMediaTypes: ['multipart/form-data'],
      // Access logs need a role that all APIs of the account in this Region share. It stays when the stack goes.
      cloudWatchRole: true,
      deployOptions: {
        stageName: STAGE,
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(ACCESS_LINE)),
        // Execution logs hold bodies and headers: what users say, and their keys.
        loggingLevel: MethodLoggingLevel.OFF,
        dataTraceEnabled: false,
        metricsEnabled: true,
        tracingEnabled: true,
        throttlingRateLimit: throttle.requestsPerSecond,
        throttlingBurstLimit: throttle.burst,
      },
    });
  }

  /** A path that is only a part of a stream route has no methods, so its requests go to `{proxy+}`. */
  #routes(): void {
    const answer = new LambdaIntegration(this.answer.lambda, { scopePermissionToMethod: false });
    const stream = new LambdaIntegration(this.stream.lambda, {
      scopePermissionToMethod: false,
      responseTransferMode: ResponseTransferMode.STREAM,
      timeout: Duration.minutes(15),
    });
    this.rest.root.resourceForPath('v1/{proxy+}').addMethod('ANY', answer);
    this.rest.root.resourceForPath('openapi.json').addMethod('GET', answer);
    // Every unknown path gets an answer of the function. Its parameter has another name than that of `/v1`, whose prefix the
    // function puts before the path.
    this.rest.root.resourceForPath('{unknown+}').addMethod('ANY', answer);
    for (const route of STREAM_ROUTES) this.rest.root.resourceForPath(route).addMethod('GET', stream);
  }
}

function settingsOf({ createsPerMinute, readsPerMinute }: Options['rateLimits']): Readonly<Record<string, string>> {
  return { CREATES_PER_MINUTE: perMinute(createsPerMinute), READS_PER_MINUTE: perMinute(readsPerMinute) };
}
