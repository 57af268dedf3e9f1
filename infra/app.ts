import { ConnectOptions } from '#contract/connect.ts';
import { AllowedHosts } from '#contract/outbound.ts';
import { PackageSources } from '#contract/packages.ts';
import { OAuthTokens } from '#contract/secret-stores.ts';
import { App, type AppProps, RemovalPolicy, Validations } from 'aws-cdk-lib';
import recommendedFlags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import type * as z from 'zod';
import { brokenRule } from './broken-rule.ts';
import type { ModelProps } from './constructs/model.ts';
import { DesignRules } from './rules/design-rules.ts';
import { BrainstemStack } from './stack.ts';

/** What the CLI sets by itself, so that a plain run of this file makes the same template. */
const CLI_CONTEXT = { 'aws:cdk:enable-path-metadata': true, 'aws:cdk:enable-asset-metadata': true };

/** An option that is not as it must be: told in its own words, for no stack would help. */
class ContextError extends Error {}

/**
 * The app that `cdk` runs. Options come as context: `-c sandboxImage=<uri>` (deploys without Docker),
 * `-c removalPolicy=destroy`, `-c savedQueries=no`, `-c createsPerMinute=300`, `-c readsPerMinute=1200`,
 * `-c packages=<JSON>`, `-c connect=<JSON>` and `-c mcpAllow=<JSON>` (or values in `cdk.json`: where packages come from,
 * where users log in, which private hosts MCP servers may be at), `-c modelProvider=bedrock` or
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
    packages: jsonOption(app, 'packages', PackageSources) ?? {},
    ...(imageUri && { sandbox: { imageUri } }),
    oauthTokens: oauthTokens(option(app, 'oauthTokens') ?? 'secrets-manager'),
    model: modelOf(app),
    ...connectionOf(app),
    mcp: { allow: jsonOption(app, 'mcpAllow', AllowedHosts) ?? [] },
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(stack), new DesignRules());
  return app;
}

function option(app: App, name: string): string | undefined {
  const value: unknown = app.node.tryGetContext(name);
  if (value === undefined || typeof value === 'string') return value;
  throw new ContextError(`Context ${name} must be a string`);
}

function modelOf(app: App): ModelProps {
  const provider = option(app, 'modelProvider') ?? 'anthropic';
  const region = option(app, 'modelRegion');
  const place = region === undefined ? {} : { region };
  if (provider === 'anthropic') return { provider };
  if (provider === 'bedrock') return { provider, ...place };
  if (provider !== 'claude-platform-on-aws')
    throw new ContextError('Context modelProvider must be anthropic, bedrock or claude-platform-on-aws');
  const workspaceId = option(app, 'modelWorkspace');
  if (workspaceId === undefined) throw new ContextError('Context modelWorkspace must name the workspace: wrkspc_…');
  return { provider, workspaceId, ...place };
}

/** What is no number becomes NaN, which the construct refuses by the option's name. */
function numberOption(app: App, name: string): number | undefined {
  const text = option(app, name);
  return text === undefined ? undefined : Number(text);
}

/** A JSON text, as the CLI gives it, or a value of `cdk.json`. */
function jsonOption<Schema extends z.ZodType>(app: App, name: string, schema: Schema): z.infer<Schema> | undefined {
  const value: unknown = app.node.tryGetContext(name);
  if (value === undefined) return undefined;
  const parsed = schema.safeParse(typeof value === 'string' ? parseJson(name, value) : value);
  if (parsed.success) return parsed.data;
  throw new ContextError(parsed.error.issues.map((issue) => `Context ${brokenRule(name, issue)}`).join('\n'));
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    throw new ContextError(`Context ${name} must be JSON`);
  }
}

function oauthTokens(store: string): OAuthTokens {
  const parsed = OAuthTokens.safeParse(store);
  if (parsed.success) return parsed.data;
  throw new ContextError(`Context oauthTokens must be ${OAuthTokens.options.join(' or ')}`);
}

function connectionOf(app: App): { readonly connect?: ConnectOptions } {
  const connect = jsonOption(app, 'connect', ConnectOptions);
  return connect === undefined ? {} : { connect };
}

function removalPolicy(name: string): RemovalPolicy {
  if (name === 'retain') return RemovalPolicy.RETAIN;
  if (name === 'destroy') return RemovalPolicy.DESTROY;
  throw new ContextError('Context removalPolicy must be retain or destroy');
}

function main(): void {
  try {
    brainstemApp().synth();
  } catch (error) {
    if (!(error instanceof ContextError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

if (import.meta.main) main();
