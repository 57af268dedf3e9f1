import type { PackageSources } from '#contract/packages.ts';
import { RemovalPolicy, Stage } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { ConnectOptions } from '#contract/connect.ts';
import { AllowedHosts } from '#contract/outbound.ts';
import type { OAuthTokens } from '#contract/secret-stores.ts';
import { Api, type RateLimits } from './constructs/api.ts';
import { AuditTrail } from './constructs/audit-trail.ts';
import { bundle, type Entry } from './constructs/bundles.ts';
import { Connect, enterpriseSettings, grantManagedServers, receiveLinks } from './constructs/connect.ts';
import { Content } from './constructs/content.ts';
import { FirstKey } from './constructs/first-key.ts';
import { Hands } from './constructs/hands.ts';
import { Harness } from './constructs/harness.ts';
import { McpProxyFunction, type McpOptions } from './constructs/mcp-proxy.ts';
import type { ModelProps } from './constructs/model.ts';
import { Observability } from './constructs/observability.ts';
import { Previews } from './constructs/previews.ts';
import { Records } from './constructs/records.ts';
import { SessionLog } from './constructs/session-log.ts';
import { SessionRun } from './constructs/session-run.ts';
import { Sweep } from './constructs/sweep.ts';
import { Vaults } from './constructs/vaults.ts';
import { WebFetch } from './constructs/web-fetch.ts';

export interface BrainstemProps {
  /** Who serves the model: the Claude API, Amazon Bedrock or Claude Platform on AWS. @default the Claude API */
  readonly model?: ModelProps;
  /**
   * What becomes of tables, content, secrets and logs when they leave the stack. A bucket that is to be destroyed
   * has to be emptied first. @default RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /** @default one month */
  readonly logRetention?: RetentionDays;
  /** @default none: all functions share the account's concurrency */
  readonly reservedConcurrency?: Partial<Record<Entry, number>>;
  readonly sandbox?: {
    /** Image in an ECR repository of the same Region. @default built from sandbox-task/ */
    readonly imageUri?: string;
    /** CPU units: 1024 are one vCPU. @default 512 */
    readonly cpu?: number;
    /** @default 1024 */
    readonly memoryMb?: number;
  };
  readonly webFetch?: {
    /**
     * Hosts that `web_fetch` may reach although their name or address is private, or over http. `host` is compared
     * before the name is resolved, `cidr` after. The function is outside any VPC. @default none
     */
    readonly allow?: AllowedHosts;
  };
  /** How agents reach MCP servers. */
  readonly mcp?: McpOptions;
  /** Pages on which users let agents use MCP servers for them. @default none: somebody else brings the tokens */
  readonly connect?: ConnectOptions;
  /** The packages of environments, installed by tasks of their own. */
  readonly packages?: PackageSources & {
    /** Image with the managers and compilers. @default the sandbox's `imageUri`; else built from sandbox-task/ */
    readonly imageUri?: string;
    /** CPU units: 1024 are one vCPU. @default 1024 */
    readonly cpu?: number;
    /** @default 4096 */
    readonly memoryMb?: number;
  };
  /**
   * Where users' access and refresh tokens are kept; every other secret is in Secrets Manager.
   *
   * `secrets-manager` costs $0.40 a month for each credential (5,000 credentials: $2,000), and a credential should not
   * be refreshed more often than every ten minutes, nor all of them more than 50 times a second.
   * `dynamodb-kms` seals each token under a KMS key of this construct and keeps it in its credential's row: $1 a month
   * for the key and about $0.03 for 2,000 refreshes, at any rate. Auditors find each use of the key in CloudTrail.
   *
   * Changing it moves no token: each moves when it is written next. The key leaves with `dynamodb-kms`, so users whose
   * tokens it seals connect again. @default 'secrets-manager'
   */
  readonly oauthTokens?: OAuthTokens;
  /** For the whole API. @default 500 requests per second, 1000 at once */
  readonly throttle?: { readonly requestsPerSecond: number; readonly burst: number };
  /**
   * Beside the throttle of the whole API, a limit for each API key. The service it speaks like has 300 creates and 1200
   * reads; here nobody shares the account with strangers, and a limit that was not asked for would only stop the
   * customer's own work. Each limit costs one write per key and instance about every five busy seconds. @default none
   */
  readonly rateLimits?: RateLimits;
  /**
   * Sets the role with which API Gateway writes logs in this account and Region. False where another stack has set it.
   * @default true
   */
  readonly setAccountLogRole?: boolean;
  /** Logs Insights queries, saved in the account. @default true */
  readonly savedQueries?: boolean;
}

/** The whole service, as one construct for an app of your own: `new Brainstem(this, 'Agents', {…})`. */
export class Brainstem extends Construct {
  readonly log: SessionLog;
  readonly records: Records;
  readonly content: Content;
  readonly auditTrail: AuditTrail;
  readonly previews: Previews;
  readonly api: Api;
  readonly harness: Harness;
  readonly hands: Hands;
  readonly webFetch: WebFetch;
  readonly vaults: Vaults;
  readonly mcpProxy: McpProxyFunction;
  readonly run: SessionRun;
  readonly sweep: Sweep;
  /** Null where the deployment has no identity provider to ask who somebody is. */
  readonly connect: Connect | null;
  readonly firstKey: FirstKey;
  readonly observability: Observability;

  constructor(scope: Construct, id: string, props: BrainstemProps = {}) {
    super(scope, id);
    const {
      sandbox = {},
      packages = {},
      removalPolicy = RemovalPolicy.RETAIN,
      logRetention = RetentionDays.ONE_MONTH,
    } = props;
    const model = props.model ?? { provider: 'anthropic' };
    const bundles = bundle({ outdir: assemblyDir(this), modelProvider: model.provider });
    const defaults = { bundles, removalPolicy, logRetention, reservedConcurrency: props.reservedConcurrency ?? {} };

    // What is remembered: the sessions' logs, the rows beside them, and content too large for either.
    this.log = new SessionLog(this, 'SessionLog', { removalPolicy });
    this.records = new Records(this, 'Records', { removalPolicy });
    this.content = new Content(this, 'Content', { removalPolicy });
    const memory = { defaults, log: this.log, records: this.records, content: this.content };

    // A message arrives and is appended.
    this.api = new Api(this, 'Api', {
      ...memory,
      throttle: props.throttle ?? { requestsPerSecond: 500, burst: 1000 },
      rateLimits: props.rateLimits ?? {},
      setAccountLogRole: props.setAccountLogRole ?? true,
    });

    // What is done in a user's name, and to what decides about it, is written down before and after.
    this.auditTrail = new AuditTrail(this, 'AuditTrail', { removalPolicy });
    this.auditTrail.grantAppend(this.api.answer);
    this.auditTrail.grantExport(this.api.answer);

    // The brain asks the model.
    this.harness = new Harness(this, 'Harness', { ...memory, model });

    // What it says is shown while it says it, to streams that ask for that.
    this.previews = new Previews(this, 'Previews');
    this.previews.grantShow(this.harness.turn);
    this.previews.grantFollow(this.api.stream);

    // The hands do what it wants done, started early when its answer names a tool.
    const image = sandbox.imageUri ? { uri: sandbox.imageUri } : { dir: bundles.sandboxImageDir };
    const { imageUri: buildUri, cpu: buildCpu = 1024, memoryMb: buildMemoryMb = 4096, ...sources } = packages;
    this.hands = new Hands(this, 'Hands', {
      ...memory,
      sandbox: { image, cpu: sandbox.cpu ?? 512, memoryMb: sandbox.memoryMb ?? 1024 },
      packages: { image: buildUri ? { uri: buildUri } : image, cpu: buildCpu, memoryMb: buildMemoryMb, sources },
    });
    this.hands.grantProvision(this.harness.turn);
    // A session that is deleted takes its sandbox with it.
    this.hands.grantProvision(this.api.answer);
    this.webFetch = new WebFetch(this, 'WebFetch', { ...memory, allow: props.webFetch?.allow ?? [] });

    // Credentials, with which agents act for users: the API takes them and cannot read one back.
    this.vaults = new Vaults(this, 'Vaults', { removalPolicy, oauthTokens: props.oauthTokens ?? 'secrets-manager' });
    this.vaults.grantManage(this.api.answer);

    // The hand that acts for users, at MCP servers: it alone reads what is in their vaults.
    const { vaults, auditTrail } = this;
    const mcp = props.mcp ?? {};
    this.mcpProxy = new McpProxyFunction(this, 'McpProxy', { ...memory, vaults, auditTrail, options: mcp });
    this.mcpProxy.grantInvoke(this.harness.turn);
    this.mcpProxy.grantInvoke(this.api.answer);

    // The run goes from one to the other until the session is idle. The API starts it; the sweep repairs lost starts.
    const { provision, execute } = this.hands;
    const webFetch = this.webFetch.fetch;
    const mcpProxy = this.mcpProxy.call;
    const hands = { provision, execute, webFetch, mcpProxy };
    this.run = new SessionRun(this, 'Run', { defaults, harness: this.harness.turn, ...hands });
    this.sweep = new Sweep(this, 'Sweep', memory);
    this.run.grantStart(this.api.answer);
    this.run.grantStart(this.sweep.repair);

    this.vaults.grantSettle(this.sweep.repair);

    // A user consents to what agents do for them, and the call that waited for it goes on.
    const serversAllowed = mcp.allow ?? [];
    const { api, run } = this;
    const connecting = props.connect && ConnectOptions.parse(props.connect);
    this.connect = connecting
      ? new Connect(this, 'Connect', {
          ...{ ...memory, api, vaults, auditTrail, run },
          ...{ options: connecting, serversAllowed },
        })
      : null;
    receiveLinks(this.api.answer, this.connect);
    receiveLinks(mcpProxy, this.connect);
    grantManagedServers(mcpProxy, connecting);
    this.api.answer.receive({
      ...enterpriseSettings(connecting),
      CONNECT_RETURN_URLS: JSON.stringify(connecting?.returnUrls ?? []),
      MCP_ALLOW: JSON.stringify(AllowedHosts.parse(serversAllowed)),
    });

    // Who may call, and what there is to see.
    this.firstKey = new FirstKey(this, 'FirstKey', { defaults, records: this.records });
    const pages = this.connect === null ? [] : [this.connect.pages];
    this.observability = new Observability(this, 'Observability', {
      functions: [
        ...[this.api.answer, this.api.stream, this.harness.turn],
        ...[provision, execute, webFetch, mcpProxy, this.sweep.repair, ...pages],
      ],
      run: this.run,
      savedQueries: props.savedQueries ?? true,
    });
  }
}

function assemblyDir(scope: Construct): string {
  const stage = Stage.of(scope);
  if (!stage) throw new Error('Brainstem must be part of an App: its bundles are written to the cloud assembly');
  return stage.outdir;
}
