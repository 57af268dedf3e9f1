/** How an AWS call of a function is judged, answered and watched. */

/** One HTTP request to the AWS endpoint, its caller already known by the access key id it was signed with. */
export interface AwsRequest {
  readonly service: string;
  /** `PutItem`, `StartExecution`, `GetSecretValue`, `PutObject`, `InvokeFunction`, … */
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly caller: Caller;
}

/** A function's worker, as far as AWS can see it. */
export interface Caller {
  readonly functionName: string;
  readonly roleArn: string;
  readonly worker: string;
}

export interface AwsResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
}

/** What a call needs to be allowed to do: every access must be allowed, else the call answers AccessDenied. */
export interface Access {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, readonly string[]>>;
}

export interface Service {
  /** The signing name: `dynamodb`, `states`, `secretsmanager`, `kms`, `s3`, `ecs`, `lambda`. */
  readonly name: string;
  /** Reads the operation's name from the request. */
  operation(request: Omit<AwsRequest, 'operation' | 'caller'>): string;
  accesses(request: AwsRequest): readonly Access[];
  handle(request: AwsRequest): Promise<AwsResponse>;
  close(): Promise<void>;
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
