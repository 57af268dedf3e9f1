/** What a synthesized template offers to the parts of the local runtime. */

import type { readTemplate } from './read-template.ts';

/** Every resource of the synthesized template that this machine has to play, with intrinsic functions resolved. */
export type Template = ReturnType<typeof readTemplate>;

export interface FunctionPart {
  readonly logicalId: string;
  /** Physical name; the entry's folder name is `environment.POWERTOOLS_SERVICE_NAME`. */
  readonly name: string;
  readonly arn: string;
  readonly handler: string;
  readonly codeDir: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  /** How many invocations at once are set aside for it; null for a share of the account's. */
  readonly reserved: number | null;
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

/** A key of KMS, for encryption or for signatures; the policies of roles decide its use. */
export interface KeyPart {
  readonly id: string;
  readonly arn: string;
  readonly spec: 'SYMMETRIC_DEFAULT' | 'ECC_NIST_P256';
}

export interface BucketPart {
  readonly name: string;
  readonly arn: string;
  /** Objects are locked when they are stored. */
  readonly hasLock: boolean;
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
  /** The names for which the VPC's resolver answers; null where it answers for all. */
  readonly hosts: readonly string[] | null;
  readonly vpc: string;
  readonly cidr: string;
  /** Other VPCs to addresses of which a route leads, through a peering. */
  readonly peers: readonly { readonly vpc: string; readonly cidr: string }[];
}

export interface SecurityGroupPart {
  readonly id: string;
  readonly vpc: string;
  /** What a group admits in each direction. Without a rule it admits nothing in, and everything out. */
  readonly ingress: readonly TrafficRule[];
  readonly egress: readonly TrafficRule[];
}

/** TCP to a range of ports, from or to a block of addresses or a group. */
interface TrafficRule {
  readonly fromPort: number;
  readonly toPort: number;
  readonly cidr: string | null;
  readonly group: string | null;
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
