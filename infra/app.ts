import { ConnectOptions } from '#contract/connect.ts';
import { PackageSources } from '#contract/packages.ts';
import { OAuthTokens } from '#contract/secret-stores.ts';
import { App, type AppProps, RemovalPolicy, Validations } from 'aws-cdk-lib';
import recommendedFlags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import type { ModelProps } from './constructs/model.ts';
import { DesignRules } from './rules/design-rules.ts';
import { BrainstemStack } from './stack.ts';

/** What the CLI sets by itself, so that a plain run of this file makes the same template. */
const CLI_CONTEXT = { 'aws:cdk:enable-path-metadata': true, 'aws:cdk:enable-asset-metadata': true };

/**
 * The app that `cdk` runs. Options come as context: `-c sandboxImage=<uri>` (deploys without Docker),
 * `-c removalPolicy=destroy`, `-c savedQueries=no`, `-c createsPerMinute=300`, `-c readsPerMinute=1200`,
 * `-c packages=<JSON>` and `-c connect=<JSON>` (or objects in `cdk.json`: where packages come from, where users log in), `-c modelProvider=bedrock` or
 * `claude-platform-on-aws` (which needs `-c modelWorkspace=wrkspc_…`), and for both
 * `-c modelRegion=<Region>`, and `-c oauthTokens=dynamodb-kms`.
 */
export function brainstemApp(props: AppProps = {}): App {
  const app = new App({
    ...props,
    analyticsReporting: false,
    context: { ...recommendedFlags, ...CLI_CONTEXT, ...props.context },
  });
  const imageUri = option(app, 'sandboxImage');
  const createsPerMinute = numberOption(app, 'createsPerMinute');
  const readsPerMinute = numberOption(app, 'readsPerMinute');
  const stack = new BrainstemStack(app, 'Brainstem', {
    description: 'Brainstem: Managed Agents in your own account',
    removalPolicy: removalPolicy(option(app, 'removalPolicy') ?? 'retain'),
    savedQueries: option(app, 'savedQueries') !== 'no',
    rateLimits: {
      ...(createsPerMinute !== undefined && { createsPerMinute }),
      ...(readsPerMinute !== undefined && { readsPerMinute }),
    },
    packages: packageSources(app.node.tryGetContext('packages')),
    ...(imageUri && { sandbox: { imageUri } }),
    oauthTokens: oauthTokens(option(app, 'oauthTokens') ?? 'secrets-manager'),
    model: modelOf(app),
    ...connectOf(app),
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(stack), new DesignRules());
  return app;
}

function option(app: App, name: string): string | undefined {
  const value: unknown = app.node.tryGetContext(name);
  if (value === undefined || typeof value === 'string') return value;
  throw new Error(`Context ${name} must be a string`);
}

function modelOf(app: App): ModelProps {
  const provider = option(app, 'modelProvider') ?? 'anthropic';
  const region = option(app, 'modelRegion');
  const place = region === undefined ? {} : { region };
  if (provider === 'anthropic') return { provider };
  if (provider === 'bedrock') return { provider, ...place };
  if (provider !== 'claude-platform-on-aws')
    throw new Error('Context modelProvider must be anthropic, bedrock or claude-platform-on-aws');
  const workspaceId = option(app, 'modelWorkspace');
  if (workspaceId === undefined) throw new Error('Context modelWorkspace must name the workspace: wrkspc_…');
  return { provider, workspaceId, ...place };
}

/** What is no number becomes NaN, which the construct refuses by the option's name. */
function numberOption(app: App, name: string): number | undefined {
  const text = option(app, name);
  return text === undefined ? undefined : Number(text);
}

function packageSources(value: unknown): PackageSources {
  const parsed = PackageSources.safeParse(typeof value === 'string' ? JSON.parse(value) : (value ?? {}));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`Context packages: ${problems.join('; ')}`);
}

function oauthTokens(store: string): OAuthTokens {
  const parsed = OAuthTokens.safeParse(store);
  if (parsed.success) return parsed.data;
  throw new Error(`Context oauthTokens must be ${OAuthTokens.options.join(' or ')}`);
}

function connectOf(app: App): { readonly connect?: ConnectOptions } {
  const value: unknown = app.node.tryGetContext('connect');
  if (value === undefined) return {};
  const parsed = ConnectOptions.safeParse(typeof value === 'string' ? JSON.parse(value) : value);
  if (parsed.success) return { connect: parsed.data };
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`Context connect: ${problems.join('; ')}`);
}

function removalPolicy(name: string): RemovalPolicy {
  if (name === 'retain') return RemovalPolicy.RETAIN;
  if (name === 'destroy') return RemovalPolicy.DESTROY;
  throw new Error('Context removalPolicy must be retain or destroy');
}

if (import.meta.main) brainstemApp().synth();
