import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { expect, onTestFinished, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AllowedHosts } from '#contract/outbound.ts';
import { Brainstem } from '#infra/brainstem.ts';
import { functionOf, properties, setting, type Template as Synthesized } from '#infra/rules/template.ts';
import { buildOnce } from '../built-modules.ts';

function stackWith(allow?: AllowedHosts): Synthesized {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-web-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const stack = new Stack(new App({ outdir }), 'Own');
  buildOnce();
  new Brainstem(stack, 'Agents', allow === undefined ? {} : { webFetch: { allow } });
  return Template.fromStack(stack).toJSON() as Synthesized;
}

test('web-fetch reaches no private host by default', () => {
  const fetch = functionOf(stackWith(), 'web-fetch');
  expect(fetch && setting(fetch, 'WEB_FETCH_ALLOW')).toBe('[]');
});

test('web-fetch is outside the VPC, because it connects to unknown hosts', () => {
  const fetch = functionOf(stackWith(), 'web-fetch');
  expect(fetch && properties(fetch)).not.toHaveProperty('VpcConfig');
});

test('the allowed private hosts reach the function as they were given', () => {
  const allow = [{ host: '*.corp.internal', cidr: '10.0.0.0/8', http: true }];
  const fetch = functionOf(stackWith(allow), 'web-fetch');
  expect(JSON.parse(String(fetch && setting(fetch, 'WEB_FETCH_ALLOW')))).toEqual(allow);
});

test('a malformed allowed host is refused at synthesis', () => {
  expect(() => stackWith([{ host: 'https://wiki', cidr: '10.0.0.0/8' }])).toThrow(/host name/);
  expect(() => stackWith([{ host: 'wiki.internal', cidr: '10.0.0.1' }])).toThrow(/CIDR/);
});
