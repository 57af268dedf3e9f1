import { Duration, Validations } from 'aws-cdk-lib';
import { LambdaIntegration } from 'aws-cdk-lib/aws-apigateway';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { KnownClients, LoginSettings } from '#contract/connect.ts';
import type { EnterpriseSettings } from '#contract/enterprise.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import type { ConnectOptions } from '../options/connect-options.ts';
import type { Api } from './api.ts';
import type { AuditTrail } from './audit-trail.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';
import type { Stores } from './stores.ts';
import { secretsPrefix } from './secrets-prefix.ts';
import type { SessionRun } from './session-run.ts';
import type { Vaults } from './vaults.ts';

export interface ConnectProps extends Stores {
  readonly defaults: FunctionDefaults;
  readonly api: Api;
  readonly vaults: Vaults;
  readonly auditTrail: AuditTrail;
  readonly run: SessionRun;
  readonly options: ConnectOptions;
  /** Private hosts of MCP servers and of their authorization servers. */
  readonly serversAllowed: AllowedHosts;
}

/**
 * The pages on which a user lets agents use an MCP server. They are behind the same API and need no key: a user logs in
 * at the customer's identity provider. The function writes credentials and cannot read them.
 */
export class Connect extends Construct {
  readonly pages: EntryFunction;
  readonly baseUrl: string;

  constructor(scope: Construct, id: string, props: ConnectProps) {
    super(scope, id);
    const { api, options } = props;
    this.baseUrl = options.baseUrl ?? `${api.invokeUrl}/connect`;
    this.pages = new EntryFunction(this, 'Pages', {
      entry: 'connect',
      defaults: props.defaults,
      // API Gateway gives up after 29 seconds.
      timeout: Duration.seconds(29),
      memoryMb: 512,
    });
    this.#grantWork(props);
    this.#readSecrets(options, this.#signingSecret(props.defaults));
    this.pages.receive(this.#settings(props));
    const integration = new LambdaIntegration(this.pages.lambda, { scopePermissionToMethod: false });
    api.rest.root.resourceForPath('connect/{proxy+}').addMethod('ANY', integration);
  }

  /** The function stores a credential. Then it appends to the log of the call that waits for it, and starts a run. */
  #grantWork({ log, records, content, vaults, auditTrail, run }: ConnectProps): void {
    log.grantAppend(this.pages);
    records.grantWrite(this.pages);
    content.grantReadWrite(this.pages);
    run.grantStart(this.pages);
    vaults.grantConnect(this.pages);
    auditTrail.grantAppend(this.pages);
  }

  /** The function seals cookies, forms and states with it, and derives from it what it would have to store. */
  #signingSecret({ removalPolicy }: FunctionDefaults): Secret {
    const secret = new Secret(this, 'SigningSecret', {
      description: 'Seals the cookies, forms and states of the connect pages',
      generateSecretString: { excludePunctuation: true, passwordLength: 64 },
      removalPolicy,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'A new secret would log out all users and end their open consents; it protects nothing older than an hour.',
    });
    return secret;
  }

  #readSecrets({ clientSecretArn, clients }: ConnectOptions, signing: Secret): void {
    const given = [clientSecretArn, ...clients.map((client) => client.clientSecretArn)];
    const arns = [signing.secretArn, ...given.filter((arn) => arn !== undefined)];
    this.pages.receive(
      { CONNECT_SIGNING_SECRET_ARN: signing.secretArn },
      { actions: ['secretsmanager:GetSecretValue'], on: arns },
    );
    // The function also registers clients at authorization servers on request, and keeps the secret of each.
    const prefix = secretsPrefix(this);
    this.pages.receive(
      { CONNECT_SECRETS_PREFIX: prefix },
      { actions: ['secretsmanager:CreateSecret', 'secretsmanager:GetSecretValue'], on: [`${prefix}/*`] },
    );
    acknowledgePattern(
      this.pages.role,
      `${prefix}/*`,
      'A client’s secret is made when its server registers the client.',
    );
  }

  #settings({ options, serversAllowed }: ConnectProps): Readonly<Record<string, string>> {
    const clients: KnownClients = options.clients.map(({ clientSecretArn, ...client }) => {
      return { ...client, secretArn: clientSecretArn ?? null };
    });
    return {
      ...enterpriseSettings(options),
      CONNECT_BASE_URL: this.baseUrl,
      CONNECT_APP_NAME: options.appName,
      CONNECT_LOGIN: JSON.stringify(loginOf(options)),
      CONNECT_CLIENTS: JSON.stringify(clients),
      MCP_ALLOW: JSON.stringify(serversAllowed),
    };
  }
}

function loginOf(options: ConnectOptions): LoginSettings {
  const { issuer, clientId, clientSecretArn = null, userClaim } = options;
  return { issuer, clientId, clientSecretArn, userClaim };
}

/**
 * Every function that acts for users, or stores what it acts with, is told for which servers the organisation decides
 * and where its identity provider may be. A function without these settings does not start, so `null` is a setting too.
 */
export function enterpriseSettings(
  options: ConnectOptions | undefined,
): Readonly<Record<'ENTERPRISE' | 'CONNECT_ALLOW', string>> {
  return { ENTERPRISE: JSON.stringify(enterpriseOf(options)), CONNECT_ALLOW: JSON.stringify(options?.allow ?? []) };
}

function enterpriseOf(options: ConnectOptions | undefined): EnterpriseSettings {
  if (options === undefined || options.managedServers.length === 0) return null;
  const servers = options.managedServers.map(({ resource, clientSecretArn = null, scopes = [], ...server }) => {
    return { ...server, resource: resource ?? server.url, clientSecretArn, scopes };
  });
  return { login: loginOf(options), servers };
}

/** For managed servers the proxy asks the identity provider and the authorization servers, as a client of each. */
export function grantManagedServers(proxy: EntryFunction, options: ConnectOptions | undefined): void {
  proxy.receive(enterpriseSettings(options));
  const { managedServers = [], clientSecretArn } = options ?? {};
  if (managedServers.length === 0) return;
  const given = [clientSecretArn, ...managedServers.map((server) => server.clientSecretArn)];
  const on = [...new Set(given.filter((arn) => arn !== undefined))];
  if (on.length > 0) proxy.receive({}, { actions: ['secretsmanager:GetSecretValue'], on });
}

/** A function that makes links to the pages gets their address; `none` is the setting without pages. */
export function receiveLinks(maker: EntryFunction, connect: Connect | null): void {
  maker.receive({ CONNECT_BASE_URL: connect?.baseUrl ?? 'none' });
}
