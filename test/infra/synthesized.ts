import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { brainstemApp } from '#infra/app.ts';
import type { BrainstemProps } from '#infra/brainstem.ts';
import { optionsOfContext } from '#infra/options/options-of-context.ts';
import type { Template } from '#infra/rules/template.ts';
import { BrainstemStack } from '#infra/stack.ts';
import { buildOnce } from '#test/infra/built-modules.ts';
import { assemblyOf } from '#test/run-cache.ts';

export interface Synthesized {
  readonly template: Template & {
    readonly Parameters: Readonly<Record<string, unknown>>;
    readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
  };
  readonly assets: { readonly files: object; readonly dockerImages: object };
  /** Bytes of each bundle, by entry. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Context that the CLI would have to look up in an account. */
  readonly missing: unknown;
}

type Context = Readonly<Record<string, string>>;

/** The app's cloud assembly as `cdk synth` makes it, every validation included; throws when one of them refuses it. */
export function appAssembly(context: Context = {}): string {
  return assemblyOf({ context }, (outdir) => {
    buildOnce(optionsOfContext(context).model?.provider);
    brainstemApp({ outdir, context }).synth();
  });
}

/** The cloud assembly of an app that holds the stack with these options. */
export function stackAssembly(props: BrainstemProps): string {
  return assemblyOf({ props }, (outdir) => {
    buildOnce(props.model?.provider);
    const app = new App({ outdir });
    new BrainstemStack(app, 'Brainstem', props);
    app.synth();
  });
}

/** What the app's cloud assembly says. */
export function synthesize(context: Context = {}): Synthesized {
  const folder = appAssembly(context);
  const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
  return {
    template: read('Brainstem.template.json'),
    assets: read('Brainstem.assets.json'),
    sizes: read('bundles/sizes.json'),
    missing: read('manifest.json').missing,
  };
}
