/**
 * The seams between the parts of the local runtime: what a synthesized template offers (`Template`), how an AWS call
 * is judged and answered (`Service`), how a function is invoked (`Invoke`) and where faults are injected (`CallHook`).
 */

/** Every resource of the synthesized template that this machine has to play, with intrinsic functions resolved. */
export interface Template {
  readonly region: string;
  readonly account: string;
  readonly functions: readonly FunctionPart[];
  readonly tables: readonly TablePart[];
  readonly machines: readonly MachinePart[];
  readonly routes: readonly RoutePart[];
  /** API Gateway's own error answers, where the template changes them. */
  readonly gatewayResponses?: readonly GatewayResponsePart[];
  readonly roles: readonly RolePart[];
  readonly secrets: readonly SecretPart[];
  readonly keys: readonly KeyPart[];
  readonly buckets: readonly BucketPart[];
  readonly tasks: readonly TaskDefinitionPart[];
  readonly subnets: readonly SubnetPart[];
  readonly schedules: readonly SchedulePart[];
  readonly customResources: readonly CustomResourcePart[];
  readonly outputs: Readonly<Record<string, string>>;
}

export interface FunctionPart {
  readonly logicalId: string;
  /** Physical name; the entry's folder name is `environment.POWERTOOLS_SERVICE_NAME`. */
  readonly name: string;
  readonly arn: string;
  readonly handler: string;
  readonly codeDir: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly roleArn: string;
}

export interface TablePart {
  readonly name: string;
  readonly arn: string;
  /** `CreateTable` input (PAY_PER_REQUEST), ready to send to the engine. */
  readonly createTable: Readonly<Record<string, unknown>>;
  readonly ttlAttribute: string | null;
}

export interface MachinePart {
  readonly name: string;
  readonly arn: string;
  readonly roleArn: string;
  /** The Amazon States Language definition, substitutions applied. */
  readonly definition: Readonly<Record<string, unknown>>;
}

export interface RoutePart {
  readonly method: string;
  /** API Gateway resource path, for example `/v1/{proxy+}`. */
  readonly path: string;
  readonly functionArn: string;
  readonly transfer: 'buffered' | 'stream';
}

export interface GatewayResponsePart {
  /** `MISSING_AUTHENTICATION_TOKEN`, `DEFAULT_4XX`, … */
  readonly responseType: string;
  /** Null keeps the status that API Gateway gives by itself. */
  readonly status: number | null;
  /** Values as in a mapping: `'literal'` in quotes, or `context.requestId`. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text with `$context` variables. */
  readonly body: string | null;
}

export interface RolePart {
  readonly arn: string;
  readonly name: string;
  readonly statements: readonly Statement[];
}

/** One statement of an identity policy, lists normalised to arrays. */
export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
  readonly resources: readonly string[];
  readonly notResources: readonly string[];
  /** operator → condition key → values */
  readonly conditions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

export interface SecretPart {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
  /** `GenerateSecretString` of the template; null when the value comes from `SecretString` or is absent. */
  readonly generate: Readonly<Record<string, unknown>> | null;
  readonly value: string | null;
}

/** A symmetric key of KMS, whose use the policies of roles decide. */
export interface KeyPart {
  readonly id: string;
  readonly arn: string;
}

export interface BucketPart {
  readonly name: string;
  readonly arn: string;
}

export interface TaskDefinitionPart {
  readonly family: string;
  readonly arn: string;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly containers: readonly ContainerPart[];
  /** Roles that a caller of RunTask must be allowed to pass. */
  readonly executionRoleArn?: string | null;
  readonly taskRoleArn?: string | null;
}

export interface SubnetPart {
  readonly id: string;
  /** Through a NAT for every task, through an internet gateway for those with a public address; null where nothing leaves. */
  readonly wayOut: 'nat' | 'gateway' | null;
}

export interface ContainerPart {
  readonly name: string;
  readonly image: string;
  /** Build folder of an image asset inside `cdk.out` (Dockerfile, server.mjs); null for an image from a registry. */
  readonly imageDir: string | null;
  /** The stage of its Dockerfile; null for the last one. */
  readonly imageTarget?: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** 0 for a container that listens on nothing. */
  readonly port: number;
  readonly user: string | null;
}

export interface SchedulePart {
  readonly name: string;
  /** `rate(1 minute)` → 60_000 */
  readonly everyMs: number;
  readonly functionArn: string;
  readonly input: unknown;
}

export interface CustomResourcePart {
  readonly logicalId: string;
  readonly type: string;
  readonly functionArn: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * Invokes a function and waits for its result (`RequestResponse`).
 * @throws an Error whose `name` is the Lambda error type: the handler's own error name, `Lambda.Unknown` when the
 *   worker died, `Sandbox.Timedout` when it ran out of time. The message carries no user content.
 */
export type Invoke = (functionArn: string, payload: unknown) => Promise<unknown>;

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
  /** What DynamoDB bills for the call; absent where it bills nothing. */
  readonly consumed?: Consumed;
}

/** Request units of an on-demand table, its indexes included. */
export interface Consumed {
  readonly readUnits: number;
  readonly writeUnits: number;
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
 * Called around each AWS call of a worker; faults (kill, delay, throttle) are injected here.
 * `before` may return a response to answer instead of the service (a throttle, an error).
 */
export interface CallHook {
  before(request: AwsRequest): Promise<AwsResponse | null>;
  after(request: AwsRequest, response: AwsResponse): Promise<void>;
}

/** The running AWS endpoint. */
export interface AwsEndpoint {
  readonly url: string;
  /** Credentials that name the caller; the access key id is unique per worker. */
  credentialsFor(caller: Caller): { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Calls answered since start, by service and operation. */
  counts(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}
