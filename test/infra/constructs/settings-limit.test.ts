import { describe, expect, it } from 'vitest';
import type { BrainstemProps } from '#infra/brainstem.ts';
import { MAX_SETTINGS_BYTES, settingsBytes, settingsExcess } from '#infra/constructs/settings-limit.ts';
import { readTemplate } from '#infra/local/template/read-template.ts';
import { stackAssembly } from '#test/infra/synthesized.ts';

const filler = (bytes: number) => ({ FILLER: 'x'.repeat(bytes - '{"FILLER":""}'.length) });

describe('the settings of a function', () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['text', filler(MAX_SETTINGS_BYTES)],
    ['text in which JSON escapes each letter', { A: '"'.repeat(2000) }],
    ['references, each as long as an ARN', Object.fromEntries(Array.from({ length: 29 }, (_, i) => [`N${i}`, ref]))],
    ['parts of an ARN', { A: { 'Fn::Join': [':', ['arn', { Ref: 'AWS::Partition' }, 'x'.repeat(3900)]] } }],
  ])('may be as large as Lambda takes: %s', (_what, settings) => {
    expect(settingsExcess('api', settings)).toBeNull();
  });

  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['text', filler(MAX_SETTINGS_BYTES + 1), '4097 bytes'],
    ['text of more bytes than letters', { MANY: 'é'.repeat(2100), FEW: 'x' }, 'MANY 4202, FEW 3'],
    ['text in which JSON escapes each letter', { A: '"'.repeat(2100) }, 'A 4202'],
    ['many small ones', Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`N${i}`, ''])), 'N499 2'],
    ['references', Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`N${i}`, ref])), 'N0 130'],
    ['parts', { A: { 'Fn::Join': ['', [ref, 'x'.repeat(4000)]] } }, 'A 4130'],
  ])('are refused with the size of each when they are larger: %s', (_what, settings, words) => {
    const excess = settingsExcess('api', settings);
    expect(excess).toContain(words);
    expect(excess).toContain('the function api');
    expect(excess).toContain('Lambda takes 4096');
  });
});

const ref = { 'Fn::GetAtt': ['Some', 'Arn'] };
const LOGIN = { issuer: 'https://login.example.com', clientId: 'brainstem' };
const long = (name: string) => `https://${name}.agents.a-long-name-of-a-company.example.com`;
const server = (index: number) => ({
  url: `${long(`mcp-${index}`)}/mcp`,
  issuer: long(`login-${index}`),
  clientId: `0oa1b2c3d4e5f6g7h8i9-${index}`,
  clientSecretArn: `arn:aws:secretsmanager:eu-central-1:111122223333:secret:brainstem/managed-server-${index}-AbCdEf`,
  scopes: ['read:everything', 'write:everything', 'offline_access'],
});
const many = <Value>(count: number, value: (index: number) => Value) =>
  Array.from({ length: count }, (_, i) => value(i));

describe('a service', () => {
  it.each<[string, BrainstemProps, string]>([
    ['managed servers', { connect: { ...LOGIN, managedServers: many(8, server) } }, 'ENTERPRISE'],
    [
      'clients',
      { connect: { ...LOGIN, clients: many(32, (i) => ({ issuer: long(`as-${i}`), clientId: `${i}`.repeat(40) })) } },
      'CONNECT_CLIENTS',
    ],
    [
      'return URLs',
      { connect: { ...LOGIN, returnUrls: many(32, (i) => `${long(`app${i}`)}/${'x'.repeat(60)}`) } },
      'CONNECT_RETURN_URLS',
    ],
    [
      'private hosts',
      { webFetch: { allow: many(60, (i) => ({ host: `${i}.internal.example.com`, cidr: '10.0.0.0/8' })) } },
      'WEB_FETCH_ALLOW',
    ],
  ])('with too many %s is refused at synthesis, with the name of the setting', (_what, props, name) => {
    expect(() => stackAssembly(props)).toThrow(new RegExp(`and Lambda takes 4096. .*: ${name} \\d{4}`));
  });

  it('with fewer is synthesized, and the local runtime counts no more than that', () => {
    const folder = stackAssembly({ connect: { ...LOGIN, managedServers: many(3, server) } });
    for (const { environment } of readTemplate(folder, {}).functions) {
      expect(settingsBytes(environment)).toBeLessThan(MAX_SETTINGS_BYTES);
    }
  });
});
