/** How an AWS call of a function is judged, answered and watched. */
import type { Readable } from 'node:stream';
import type { Draft } from './draft.ts';

export interface RequestHead {
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** An HTTP request to the AWS endpoint. */
export interface SignedRequest extends RequestHead {
  /** Empty when there is a draft. */
  readonly body: Buffer;
  /** The body as a file, for a service that asked for it. */
  readonly draft?: Draft;
}

/** A request with its caller, who is known by the access key id that signed it. */
export interface AwsRequest extends SignedRequest {
  /** `PutItem`, `StartExecution`, `GetSecretValue`, `PutObject`, `InvokeFunction`, … */
  readonly operation: string;
  readonly caller: Caller;
}

/** A function's worker, or a task with a role, as far as AWS can see it. */
export interface Caller {
  /** For a task its id, which is the name of its session. */
  readonly functionName: string;
  readonly roleArn: string;
  readonly worker: string;
}

export interface AwsResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
  /** In place of the body. Its `content-length` is among the headers. */
  readonly stream?: Readable;
}

/** What a call needs to be allowed to do. */
export interface Access {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, readonly string[]>>;
}

/** A call that was read: the endpoint judges it and then has it answered. */
interface Call {
  /** All of them must be allowed, else the call answers AccessDenied. */
  readonly accesses: readonly Access[];
  answer(): Promise<AwsResponse>;
}

export interface Service {
  /** The signing name: `dynamodb`, `states`, `secretsmanager`, `kms`, `s3`, `ecs`, `lambda`. */
  readonly name: string;
  /** Reads the operation's name from the request. */
  operation(request: RequestHead): string;
  /** The file that a body goes into as it comes; null for a body that is kept in memory. */
  draftOf?(request: RequestHead): string | null;
  /** @throws AwsFault where the request is malformed, or names something that does not exist */
  read(request: AwsRequest): Call;
  close?(): Promise<void>;
}

/**
 * Stands between the functions and the services. It gets each call that the caller's role allows, and passes the call on,
 * as it came or changed, or answers in place of the service.
 */
export type AroundCall = (
  request: AwsRequest,
  pass: (request: AwsRequest) => Promise<AwsResponse>,
) => Promise<AwsResponse>;

/** The running AWS endpoint. */
export interface AwsEndpoint {
  readonly url: string;
  /** Credentials that name the caller; the access key id is unique per worker. */
  credentialsFor(caller: Caller): { readonly accessKeyId: string; readonly secretAccessKey: string };
  close(): Promise<void>;
}
