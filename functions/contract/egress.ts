/**
 * The way out of sandboxes and package builds: what their relay tells the egress proxy, and what the proxy asks the
 * function `egress`.
 *
 * A task has no route to the internet. Its programs speak to a relay in their own task (`RELAY_PORT`), and the relay pipes
 * each connection to the proxy (`EGRESS_PORT`). A connection begins with one line of the relay, `EGRESS <caller> <token>\n`
 * of at most `MAX_GREETING_BYTES`, which no program of the agent sees. After it the program speaks HTTP as to any forward
 * proxy: `CONNECT host:port`, or a request in absolute form. `GET /ca.pem` in origin form answers the certificate of the
 * proxy's authority.
 *
 * What the proxy refuses is 403 with the rule and what allows the host, in the status line (ASCII, for `CONNECT` has no
 * body that clients show) and in a body of plain text. A caller that the service does not know is 407.
 */
import * as z from 'zod';
import { CredentialId, ResourceId, SessionId, VaultId, WorkspaceId } from './ids.ts';

/** Where programs find their way out, on the loopback address of their task. */
export const RELAY_PORT = 3128;
/** Port on which the egress proxy listens. */
export const EGRESS_PORT = 3129;
export const MAX_GREETING_BYTES = 1024;
/** For the variable UV_THREADPOOL_SIZE of the proxy's container. */
export const EGRESS_THREADS = '64';
/** What the proxy's container runs, as an ordinary user, who needs no folder to write to. */
export const START_EGRESS_PROXY: readonly string[] = ['node', '--disable-sigusr1', '/opt/brainstem/egress-proxy.mjs'];

/**
 * What the programs of one task may reach. Hosts are names in lower case; `*.` stands for one label or more, never for none.
 * `unrestricted` is the public internet and never a private address.
 */
export const Reach = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({
    type: z.literal('limited'),
    hosts: z.array(z.string().min(1).max(253)).max(2000),
    /** Set when the environment is unrestricted, and the deployment's `network.max` narrows it. */
    narrowedBy: z.literal('network.max').optional(),
  }),
  z.strictObject({ type: z.literal('unrestricted') }),
]);
export type Reach = z.infer<typeof Reach>;

/** The most that any environment of a deployment may open, in rising order. */
export const REACHES = ['none', 'limited', 'unrestricted'] as const satisfies readonly Reach['type'][];

/** A variable that the commands of a sandbox find, for as long as the sandbox lives. Its value is a placeholder. */
export const SandboxVariable = z.object({
  name: z.string(),
  vault: VaultId,
  credential: CredentialId,
  /** When the sandbox started, no host of the credential was among those that the sandbox reaches. */
  unreachable: z.literal(true).optional(),
});
export type SandboxVariable = z.infer<typeof SandboxVariable>;

/**
 * The network of one sandbox, decided when it starts, in its record. A sandbox that reaches nothing and has no variable has
 * none.
 */
export const SandboxNetwork = z.object({
  workspace: WorkspaceId,
  reach: Reach,
  variables: z.array(SandboxVariable),
  /** The session has repositories, which the sandbox reaches whatever `reach` says. */
  hasRepositories: z.literal(true).optional(),
});
export type SandboxNetwork = z.infer<typeof SandboxNetwork>;

/** A secret that the proxy puts in the place of a placeholder, and never into a URL. */
export const Substitution = z.strictObject({
  credential: CredentialId,
  /** Opaque text of printable ASCII characters, without a meaning anywhere else. */
  placeholder: z.string().min(16).max(128),
  secret: z.string().min(1),
  /** Null: every host that the task reaches. */
  hosts: z.array(z.string()).nullable(),
  header: z.boolean(),
  body: z.boolean(),
});
export type Substitution = z.infer<typeof Substitution>;

/** One repository of a session. The task reaches its smart HTTP and LFS paths, whatever its `reach` says. */
export const RepositoryGrant = z.strictObject({
  resource: ResourceId,
  /** `https://host`, in lower case. */
  origin: z.string(),
  /** `/owner/name`, without `.git`. */
  path: z.string(),
  /** What the proxy adds to requests below that path; null for a public repository. */
  authorization: z.strictObject({ header: z.string(), value: z.string() }).nullable(),
});
export type RepositoryGrant = z.infer<typeof RepositoryGrant>;

/** The owner of connections, for lines of the log and the audit trail. */
export const EgressSubject = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('session'), workspace: WorkspaceId, session: SessionId }),
  z.strictObject({ type: z.literal('packages'), archive: z.string() }),
]);
export type EgressSubject = z.infer<typeof EgressSubject>;

/** `caller` and `token` as the relay said them; `address` is where the connection came from. */
export const GrantRequest = z.strictObject({
  ask: z.literal('grant'),
  caller: z.string().min(1).max(256),
  token: z.string().min(1).max(256),
  address: z.string(),
});
export type GrantRequest = z.infer<typeof GrantRequest>;

/** The proxy keeps a grant for at most 30 seconds, in memory only, so a rotation or an archive reaches it within 60. */
export const Grant = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('unknown') }),
  z.strictObject({
    status: z.literal('granted'),
    subject: EgressSubject,
    reach: Reach,
    substitutions: z.array(Substitution),
    repositories: z.array(RepositoryGrant),
  }),
]);
export type Grant = z.infer<typeof Grant>;
export type Granted = Extract<Grant, { status: 'granted' }>;

/** What one task did towards one host and port since the last report. Nothing of what was sent is in it. */
export const EgressUse = z.strictObject({
  subject: EgressSubject,
  /** `*` with port 0: further hosts, when a task named more of them than a report holds. */
  host: z.string().max(253),
  port: z.int().min(0).max(65_535),
  verdict: z.enum(['allowed', 'refused', 'unreachable']),
  /** The rule of a refusal. */
  rule: z.string().nullable(),
  /** 0: more of a connection that an earlier report has told, because it lasted longer than the time between reports. */
  connections: z.int().min(0),
  /** Towards the host, and from it. */
  bytesOut: z.int().min(0),
  bytesIn: z.int().min(0),
  /** Credentials and repository resources whose secrets were used, by id. */
  secrets: z.array(z.union([CredentialId, ResourceId])),
});
export type EgressUse = z.infer<typeof EgressUse>;

/** The function writes them one after the other, in the time of one invocation. */
export const MAX_REPORTED_USES = 50;

/**
 * Uses are told to the audit trail every few seconds, and the last ones before the proxy ends. The records carry
 * `id`: those of a report that was sent twice have the same one.
 */
export const EgressReport = z.strictObject({
  ask: z.literal('report'),
  id: z.string().min(1).max(128),
  uses: z.array(EgressUse).min(1).max(MAX_REPORTED_USES),
});
export type EgressReport = z.infer<typeof EgressReport>;

export const EgressRequest = z.discriminatedUnion('ask', [GrantRequest, EgressReport]);
export type EgressRequest = z.infer<typeof EgressRequest>;

/** Environment variables of the proxy's container. It finds its role's credentials as any task of ECS does. */
export const EgressProxyVariables = z.object({
  /** Name or ARN of the function `egress`. */
  EGRESS_FUNCTION: z.string().min(1),
  AWS_REGION: z.string().min(1),
  /** The proxy ends by itself after this long without a connection. */
  EGRESS_IDLE_SECONDS: z.coerce.number().int().min(1).default(300),
  /** The option `network.allow`, `AllowedHosts` as JSON: private hosts that the customer admits. */
  EGRESS_ALLOW: z.string().default('[]'),
  /** A JSON list of the hosts at which the service itself answers, in lower case: no session reaches them. */
  EGRESS_OWN_HOSTS: z.string().default('[]'),
  /** Certificates in PEM that servers may present besides those of public authorities, where the proxy opens TLS. */
  EGRESS_EXTRA_CA: z.string().optional(),
  /** Threads that resolve names. With Node's four, a few names that are resolved slowly would stop all the others. */
  UV_THREADPOOL_SIZE: z.string().default(EGRESS_THREADS),
  EGRESS_LISTEN: z.string().default(`0.0.0.0:${EGRESS_PORT}`),
});
export type EgressProxyVariables = z.infer<typeof EgressProxyVariables>;
