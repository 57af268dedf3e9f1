import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';

const RawResource = z.object({
  Type: z.string(),
  Condition: z.string().optional(),
  Properties: z.record(z.string(), z.unknown()).default({}),
});

const Body = z.object({
  Resources: z.record(z.string(), RawResource),
  Parameters: z.record(z.string(), z.object({ Type: z.string(), Default: z.unknown().optional() })).default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown(), Condition: z.string().optional() })).default({}),
});
export type Body = z.infer<typeof Body>;

const Assets = z.object({
  files: z
    .record(
      z.string(),
      z.object({
        source: z.object({ path: z.string().optional() }),
        destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
      }),
    )
    .default({}),
  dockerImages: z
    .record(
      z.string(),
      z.object({
        source: z.object({ directory: z.string().optional(), dockerBuildTarget: z.string().optional() }),
        destinations: z.record(z.string(), z.object({ imageTag: z.string() })),
      }),
    )
    .default({}),
});

interface ImageAsset {
  readonly dir: string;
  readonly target: string | null;
}

/** One synthesized stack: its template and where the folders behind its assets are. */
export interface Assembly {
  readonly stackName: string;
  readonly body: Body;
  /** Folder of the file asset that deploys to this object key; null when there is none. */
  fileAsset(objectKey: string): string | null;
  /** Build folder and stage of the image asset that deploys under this tag; null when there is none. */
  imageAsset(imageTag: string): ImageAsset | null;
}

/** @throws when the folder holds no template, or several and none is named `Brainstem` */
export function readAssembly(cdkOutDir: string): Assembly {
  const dir = resolve(cdkOutDir);
  const file = templateFile(dir);
  const stackName = file.replace(/\.template\.json$/, '');
  const assetsFile = join(dir, `${stackName}.assets.json`);
  const assets = existsSync(assetsFile) ? Assets.parse(readJson(assetsFile)) : Assets.parse({});
  const files = new Map<string, string>();
  for (const { source, destinations } of Object.values(assets.files)) {
    if (source.path === undefined) continue;
    for (const { objectKey } of Object.values(destinations)) files.set(objectKey, join(dir, source.path));
  }
  const images = new Map<string, ImageAsset>();
  for (const { source, destinations } of Object.values(assets.dockerImages)) {
    if (source.directory === undefined) continue;
    const asset = { dir: join(dir, source.directory), target: source.dockerBuildTarget ?? null };
    for (const { imageTag } of Object.values(destinations)) images.set(imageTag, asset);
  }
  return {
    stackName,
    body: Body.parse(readJson(join(dir, file))),
    fileAsset: (objectKey) => files.get(objectKey) ?? null,
    imageAsset: (imageTag) => images.get(imageTag) ?? null,
  };
}

function templateFile(dir: string): string {
  if (!existsSync(dir)) throw new Error(`no synthesized template: folder ${dir} does not exist (run cdk synth)`);
  const found = readdirSync(dir).filter((name) => name.endsWith('.template.json'));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.includes('Brainstem.template.json')) return 'Brainstem.template.json';
  throw new Error(`expected one *.template.json in ${dir}, or one named Brainstem; found ${found.length}`);
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
