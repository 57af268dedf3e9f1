import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brainstemApp } from '#infra/app.ts';
import type { Template } from '#infra/rules/template.ts';

export interface Synthesized {
  readonly template: Template & {
    readonly Parameters: Readonly<Record<string, unknown>>;
    readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
  };
  readonly assets: { readonly files: object; readonly dockerImages: object };
  /** Bytes of each bundle, by entry. */
  readonly sizes: Readonly<Record<string, number>>;
  /** The context that the CLI would have to look up in an account. */
  readonly missing: unknown;
}

/** The app as `cdk synth` makes it, with every validation. Throws when one of them refuses the app. */
export function synthesize(context: Readonly<Record<string, string>> = {}): Synthesized {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-synth-'));
  const read = (file: string) => JSON.parse(readFileSync(join(outdir, file), 'utf8'));
  try {
    brainstemApp({ outdir, context }).synth();
    return {
      template: read('Brainstem.template.json'),
      assets: read('Brainstem.assets.json'),
      sizes: read('bundles/sizes.json'),
      missing: read('manifest.json').missing,
    };
  } finally {
    rmSync(outdir, { recursive: true });
  }
}
