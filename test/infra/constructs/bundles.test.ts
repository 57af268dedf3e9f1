import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { EGRESS_PORT, START_EGRESS_PROXY } from '#contract/egress.ts';
import { bundle } from '#infra/constructs/bundles.ts';
import { buildAhead, ENTRIES } from '#infra/constructs/modules.ts';
import type { ModelProvider } from '#infra/options/model-options.ts';

let dir = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brainstem-bundles-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const entry of ENTRIES) {
    mkdirSync(join(dir, 'functions', entry), { recursive: true });
    const source = `export const unused = 'left out';\nconst name = '${entry}';\nexport const handler = () => name;\n`;
    writeFileSync(join(dir, 'functions', entry, 'source.ts'), source);
    writeFileSync(join(dir, 'functions', entry, 'handler.ts'), "export { handler } from './source.ts';\n");
  }
  mkdirSync(join(dir, 'sandbox-task'));
  writeFileSync(join(dir, 'sandbox-task/main.ts'), "console.log('serving');\n");
  writeFileSync(join(dir, 'sandbox-task/build-packages.ts'), "console.log('building');\n");
  writeFileSync(join(dir, 'sandbox-task/Dockerfile'), 'FROM scratch\n');
});

function bundled(modelProvider?: ModelProvider) {
  return bundle({
    ...(modelProvider && { modelProvider }),
    outdir: join(dir, 'out'),
    functionsDir: join(dir, 'functions'),
    sandboxTaskDir: join(dir, 'sandbox-task'),
  });
}

test('each entry becomes one module with its handler, without code that it does not use', async () => {
  bundled();
  for (const entry of ENTRIES) {
    const file = join(dir, 'out/bundles', entry, 'index.mjs');
    const module = (await import(file)) as { handler: () => string };
    expect(module.handler()).toBe(entry);
    expect(readFileSync(file, 'utf8')).not.toContain('left out');
  }
});

test('the sandbox image is built from a folder with the server, the package build and their Dockerfile', () => {
  const { sandboxImageDir } = bundled();
  expect(existsSync(join(sandboxImageDir, 'server.mjs'))).toBe(true);
  expect(existsSync(join(sandboxImageDir, 'build-packages.mjs'))).toBe(true);
  expect(readFileSync(join(sandboxImageDir, 'Dockerfile'), 'utf8')).toBe('FROM scratch\n');
});

test('the image of the egress proxy is built from a folder with the program and its Dockerfile', () => {
  const { egressImageDir } = bundled();
  expect(existsSync(join(egressImageDir, 'egress-proxy.mjs'))).toBe(true);
  const dockerfile = readFileSync(join(egressImageDir, 'Dockerfile'), 'utf8');
  expect(dockerfile).toContain(`CMD ${JSON.stringify(START_EGRESS_PROXY).replaceAll(',', ', ')}\n`);
  expect(dockerfile).toContain(`EXPOSE ${EGRESS_PORT}\n`);
});

test('the sizes of the bundles are written to a file beside them', () => {
  bundled();
  const sizes = JSON.parse(readFileSync(join(dir, 'out/bundles/sizes.json'), 'utf8'));
  expect(Object.keys(sizes)).toEqual([...ENTRIES]);
  expect(sizes.api).toBe(readFileSync(join(dir, 'out/bundles/api/index.mjs')).length);
});

test('the harness’s bundle is made from the source of its model provider', async () => {
  writeFileSync(join(dir, 'functions/harness/bedrock.ts'), "export const handler = () => 'signed';\n");
  bundled('bedrock');
  const module = (await import(join(dir, 'out/bundles/harness/index.mjs'))) as { handler: () => string };
  expect(module.handler()).toBe('signed');
});

test('only the functions that evaluate policies have Cedar’s WebAssembly file beside their bundle', async () => {
  const source = `export const handler = async () => {
    const cedar = await import('@cedar-policy/cedar-wasm/nodejs');
    return cedar.checkParsePolicySet({ staticPolicies: 'permit(principal, action, resource);' }).type;
  };`;
  writeFileSync(join(dir, 'functions/api/handler.ts'), source);
  bundled();
  const module = (await import(join(dir, 'out/bundles/api/index.mjs'))) as { handler: () => Promise<string> };
  expect(await module.handler()).toBe('success');
  expect(statSync(join(dir, 'out/bundles/api/index.mjs')).size).toBeLessThan(1000);
  expect(ENTRIES.filter((entry) => existsSync(join(dir, 'out/bundles', entry, 'node_modules')))).toEqual(['api']);
});

test('an entry without a handler is refused with its name', () => {
  rmSync(join(dir, 'functions/sweep/handler.ts'));
  expect(() => bundled()).toThrow(/sweep\/handler\.ts/);
});

test('what was built ahead is what the construct would have built, and is not built again', async () => {
  const folders = { functionsDir: join(dir, 'functions'), sandboxTaskDir: join(dir, 'sandbox-task') };
  bundle({ ...folders, outdir: join(dir, 'out') });
  // Source maps leave the code as it is, and make another pass of this one.
  await buildAhead({ ...folders, sourceMaps: true });
  for (const entry of ENTRIES) rmSync(join(dir, 'functions', entry, 'handler.ts'));
  bundle({ ...folders, outdir: join(dir, 'ahead'), sourceMaps: true });
  for (const file of [...ENTRIES.map((entry) => `${entry}/index.mjs`), 'sandbox/server.mjs']) {
    expect(readFileSync(join(dir, 'ahead/bundles', file))).toEqual(readFileSync(join(dir, 'out/bundles', file)));
  }
});
