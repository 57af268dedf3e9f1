import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { expect, onTestFinished, test } from 'vitest';
import { Brainstem, type BrainstemProps } from '#infra/brainstem.ts';
import { functionOf, properties, setting, type Template as Synthesized } from '#infra/rules/template.ts';
import { buildOnce } from '../built-modules.ts';

function stackWith(mcp?: BrainstemProps['mcp']): Synthesized {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-mcp-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const stack = new Stack(new App({ outdir }), 'Own');
  buildOnce();
  new Brainstem(stack, 'Agents', mcp === undefined ? {} : { mcp });
  return Template.fromStack(stack).toJSON() as Synthesized;
}

test('by default the proxy calls no private server and limits no user', () => {
  const proxy = functionOf(stackWith(), 'mcp-proxy') ?? { Type: '' };
  expect(setting(proxy, 'MCP_ALLOW')).toBe('[]');
  expect(setting(proxy, 'MCP_CALLS_PER_MINUTE')).toBe('unlimited');
  expect(properties(proxy)).not.toHaveProperty('VpcConfig');
});

test('a call limit gives the proxy its setting and the right to count calls in the records table only', () => {
  const template = stackWith({ callsPerMinute: 10 });
  expect(setting(functionOf(template, 'mcp-proxy') ?? { Type: '' }, 'MCP_CALLS_PER_MINUTE')).toBe('10');
  expect(JSON.stringify(template.Resources)).toContain('"dynamodb:LeadingKeys":"limit#*"');
});

test.each([0, -1, 1.5, 1_000_001])('a call limit of %s is refused at synthesis', (callsPerMinute) => {
  expect(() => stackWith({ callsPerMinute })).toThrow('Option mcp.callsPerMinute must be an integer from 1 to 1000000');
});
