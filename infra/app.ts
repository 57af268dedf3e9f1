import { App, type AppProps, Validations } from 'aws-cdk-lib';
import recommendedFlags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import { optionsOfContext } from './options/options-of-context.ts';
import { DesignRules } from './rules/design-rules.ts';
import { BrainstemStack } from './stack.ts';

/** What the CLI sets by itself, so that a plain run of this file makes the same template. */
const CLI_CONTEXT = { 'aws:cdk:enable-path-metadata': true, 'aws:cdk:enable-asset-metadata': true };

/** The app that `cdk` synthesizes. Its options come as context (docs/options.md). */
export function brainstemApp(props: AppProps = {}): App {
  const app = new App({
    ...props,
    analyticsReporting: false,
    context: { ...recommendedFlags, ...CLI_CONTEXT, ...props.context },
  });
  const stack = new BrainstemStack(app, 'Brainstem', optionsOfContext(app.node.getAllContext()));
  Validations.of(app).addPlugins(new AwsSolutionsChecks(stack), new DesignRules());
  return app;
}
