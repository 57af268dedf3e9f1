import { expect, test } from 'vitest';
import type { Template } from '#infra/local/template/parts.ts';
import { servedAt } from '#infra/local/template/local-places.ts';

const DEPLOYED = 'https://abc.execute-api.us-east-1.amazonaws.com/prod';

const template = (environment: Readonly<Record<string, string>>, outputs: Readonly<Record<string, string>>) =>
  ({ outputs, functions: [{ logicalId: 'Pages', environment }] }) as unknown as Template;

test('functions get the API’s address on this machine, and other URLs stay', () => {
  const environment = { CONNECT_BASE_URL: `${DEPLOYED}/connect`, ISSUER: 'https://idp.example.com', MODE: 'none' };
  const served = servedAt(template(environment, { BaseUrl: DEPLOYED }), 'http://127.0.0.1:8787');
  expect(served.functions[0]?.environment).toEqual({
    CONNECT_BASE_URL: 'http://127.0.0.1:8787/connect',
    ISSUER: 'https://idp.example.com',
    MODE: 'none',
  });
});

test('outputs have addresses on this machine', () => {
  const outputs = { BaseUrl: DEPLOYED, ConnectLoginRedirectUrl: `${DEPLOYED}/connect/login/callback` };
  expect(servedAt(template({}, outputs), 'http://127.0.0.1:8787').outputs).toEqual({
    BaseUrl: 'http://127.0.0.1:8787',
    ConnectLoginRedirectUrl: 'http://127.0.0.1:8787/connect/login/callback',
  });
});

test('a template without the API’s address stays unchanged', () => {
  const silent = template({ MODE: 'none' }, {});
  expect(servedAt(silent, 'http://127.0.0.1:8787')).toBe(silent);
});
