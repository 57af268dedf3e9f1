import { RemovalPolicy, Stage } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type * as z from 'zod';
import { Api } from './constructs/api.ts';
import { AuditTrail } from './constructs/audit-trail.ts';
import { bundle } from './constructs/bundles.ts';
import { Connect, enterpriseSettings, grantManagedServers, receiveLinks } from './constructs/connect.ts';
import { Content } from './constructs/content.ts';
import { Egress } from './constructs/egress.ts';
import { FirstKey } from './constructs/first-key.ts';
import { Hands } from './constructs/hands.ts';
import { Harness } from './constructs/harness.ts';
import { McpProxyFunction } from './constructs/mcp-proxy.ts';
import { Memory } from './constructs/memory.ts';
import { Observability } from './constructs/observability.ts';
import { Previews } from './constructs/previews.ts';
import { Records } from './constructs/records.ts';
import { SessionLog } from './constructs/session-log.ts';
import { SessionRun } from './constructs/session-run.ts';
import { Sweep } from './constructs/sweep.ts';
import { Vaults } from './constructs/vaults.ts';
import { WebFetch } from './constructs/web-fetch.ts';
import type { Options } from './options/options.ts';
import { parseOptions } from './options/parse-options.ts';

/** docs/options.md lists them. */
export type BrainstemProps = z.input<typeof Options>;

/** The whole service, as one construct for an app of your own: `new Brainstem(this, 'Agents', {…})`. */
export class Brainstem extends Construct {
  readonly options: Options;
  readonly log: SessionLog;
  readonly records: Records;
  readonly content: Content;
  readonly auditTrail: AuditTrail;
  readonly memory: Memory;
  readonly previews: Previews;
  readonly api: Api;
  readonly harness: Harness;
  readonly hands: Hands;
  /** Null where no sandbox may reach anything. */
  readonly egress: Egress | null;
  readonly webFetch: WebFetch;
  readonly vaults: Vaults;
  readonly mcpProxy: McpProxyFunction;
  readonly run: SessionRun;
  readonly sweep: Sweep;
  /** Null without an identity provider, which tells the service who a user is. */
  readonly connect: Connect | null;
  readonly firstKey: FirstKey;
  readonly observability: Observability;

  constructor(scope: Construct, id: string, props: BrainstemProps = {}) {
    super(scope, id);
    this.options = parseOptions(props);
    const { model, sandbox, mcp, connect, network } = this.options;
    const removalPolicy = this.options.removalPolicy === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    const bundles = bundle({ outdir: assemblyDir(this), modelProvider: model.provider });
    const defaults = { bundles, removalPolicy, logRetention: this.options.logRetentionDays };

    // The service remembers the sessions' logs, the rows beside them, and content that is too large for either.
    this.log = new SessionLog(this, 'SessionLog', { removalPolicy });
    this.records = new Records(this, 'Records', { removalPolicy });
    this.content = new Content(this, 'Content', { removalPolicy });
    // Memory stores outlive the sessions that use them.
    this.memory = new Memory(this, 'Memory', { removalPolicy });
    const { log, records, content, memory } = this;
    const stores = { defaults, log, records, content, memory };

    // The API takes a message and appends it.
    const { throttle, rateLimits, maxOpenStreams, idleStreamSeconds } = this.options;
    this.api = new Api(this, 'Api', { ...stores, throttle, rateLimits, maxOpenStreams, idleStreamSeconds });
    this.memory.grantManage(this.api.answer);

    // The audit trail records each act for a user, and each change of what decides about such acts.
    this.auditTrail = new AuditTrail(this, 'AuditTrail', { defaults });
    this.auditTrail.grantAppend(this.api.answer);
    this.auditTrail.grantExport(this.api.answer);

    // The harness asks the model.
    this.harness = new Harness(this, 'Harness', { ...stores, model });

    // It shows the model's answer to streams that ask for previews, while the model writes it.
    this.previews = new Previews(this, 'Previews');
    this.previews.grantShow(this.harness.turn);
    this.previews.grantFollow(this.api.stream);

    // The hands run the tools that the model calls. The harness starts a sandbox as soon as an answer names a tool.
    const image = sandbox.imageUri ? { uri: sandbox.imageUri } : { dir: bundles.sandboxImageDir };
    const { imageUri: buildUri, cpu, memoryMb, hosts, ...sources } = this.options.packages;
    this.hands = new Hands(this, 'Hands', {
      ...stores,
      sandbox: { ...sandbox, image },
      maxReach: network.max,
      packages: { image: buildUri ? { uri: buildUri } : image, cpu, memoryMb, hosts, sources },
    });
    this.hands.grantProvision(this.harness.turn);
    // The API ends the sandbox of a session that it deletes.
    this.hands.grantProvision(this.api.answer);

    // Programs in a sandbox reach the network through the egress proxy, which asks the function `egress` what they may.
    const { auditTrail } = this;
    const { platform, network: sandboxes } = this.hands;
    const ownHosts = [this.api.host, ...(connect?.baseUrl === undefined ? [] : [new URL(connect.baseUrl).hostname])];
    const around = { auditTrail, platform, sandboxes, ownHosts, removalPolicy };
    this.egress =
      network.max === 'none' ? null : new Egress(this, 'Egress', { ...stores, ...around, options: network });
    this.egress?.grantRun(this.hands.provision);
    for (const finder of [this.hands.provision, this.hands.execute]) this.egress?.grantFind(finder);
    this.egress?.grantSeal(this.api.answer);
    this.api.answer.receive({ NETWORK_MAX: network.max });

    this.webFetch = new WebFetch(this, 'WebFetch', { ...stores, allow: this.options.webFetch.allow });

    // Vaults hold the credentials with which agents act for users. The API stores credentials and cannot read them.
    this.vaults = new Vaults(this, 'Vaults', { removalPolicy, oauthTokens: this.options.oauthTokens });
    this.vaults.grantManage(this.api.answer);
    // A sandbox that starts finds variables of its session's vaults, and the egress proxy puts in their secrets.
    this.vaults.grantName(this.hands.provision);
    if (this.egress !== null) this.vaults.grantHandOut(this.egress.answer);

    // The MCP proxy calls MCP servers for users. It and `egress` alone read the secrets in their vaults.
    const { vaults } = this;
    this.mcpProxy = new McpProxyFunction(this, 'McpProxy', { ...stores, vaults, auditTrail, options: mcp });
    this.mcpProxy.grantInvoke(this.harness.turn);
    this.mcpProxy.grantInvoke(this.api.answer);

    // The run invokes the harness and the hands in turn until the session is idle. The API starts it, and the sweep
    // starts it again when that start was lost.
    const { provision, execute } = this.hands;
    const webFetch = this.webFetch.fetch;
    const mcpProxy = this.mcpProxy.call;
    const hands = { provision, execute, webFetch, mcpProxy };
    this.run = new SessionRun(this, 'Run', { defaults, harness: this.harness.turn, ...hands });
    this.sweep = new Sweep(this, 'Sweep', stores);
    this.run.grantStart(this.api.answer);
    this.run.grantRepair(this.sweep.repair);
    // It also stops the sandboxes that nothing needs. When the stack is deleted, all of them end.
    this.hands.grantSweep(this.sweep.repair);
    if (this.egress !== null) {
      // It asks for the proxies that are to be up at any time.
      this.egress.grantFind(this.sweep.repair);
      this.hands.grantProvision(this.sweep.repair);
    }
    this.hands.endAfter(this.harness.turn.lambda, this.run.machine);

    this.vaults.grantSettle(this.sweep.repair);

    // On the connect pages a user consents to what agents do for them, and the call that waited goes on.
    const { api, run } = this;
    const serversAllowed = mcp.allow;
    this.connect = connect
      ? new Connect(this, 'Connect', { ...stores, api, vaults, auditTrail, run, options: connect, serversAllowed })
      : null;
    receiveLinks(this.api.answer, this.connect);
    receiveLinks(mcpProxy, this.connect);
    grantManagedServers(mcpProxy, connect);
    this.api.answer.receive({
      ...enterpriseSettings(connect),
      CONNECT_RETURN_URLS: JSON.stringify(connect?.returnUrls ?? []),
      MCP_ALLOW: JSON.stringify(serversAllowed),
      // A gateway, or another provider, may serve a model that the Claude API has retired.
      RETIRED_MODELS: model.provider === 'anthropic' && model.baseUrl === undefined ? 'refused' : 'accepted',
    });

    // The deployment makes the first API key, a dashboard and saved queries.
    this.firstKey = new FirstKey(this, 'FirstKey', { defaults, records: this.records });
    const optional = [this.connect?.pages, this.egress?.answer].filter((one) => one !== undefined);
    this.observability = new Observability(this, 'Observability', {
      functions: [
        ...[this.api.answer, this.api.stream, this.harness.turn],
        ...[provision, execute, webFetch, mcpProxy, this.sweep.repair, this.auditTrail.sign, ...optional],
      ],
      run: this.run,
    });
  }
}

function assemblyDir(scope: Construct): string {
  const stage = Stage.of(scope);
  if (!stage) throw new Error('Brainstem must be part of an App: its bundles are written to the cloud assembly');
  return stage.outdir;
}
