import { describe, expect, it } from 'vitest';
import { Environment, EnvironmentCreate, EnvironmentUpdate } from '#contract/environments.ts';
import { EnvironmentId } from '#contract/ids.ts';
import { resolveEnvironment } from '#core/environments/resolve.ts';
import { changedEnvironment } from '#core/environments/update.ts';
import { explain } from '#core/requests/explain.ts';

const CREATED = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T11:00:00.000Z';
const NO_PACKAGES = { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] };
const LIMITED = {
  type: 'limited',
  allowed_hosts: ['api.example.com'],
  allow_mcp_servers: true,
  allow_package_managers: true,
};
const CONFIG = { type: 'cloud', networking: LIMITED, packages: { ...NO_PACKAGES, pip: ['pandas==2.2.0'] } };

const resolved = (fields: object) =>
  resolveEnvironment(EnvironmentCreate.parse({ name: 'box', ...fields }), EnvironmentId.parse('env_1'), CREATED);
/** As it comes from the records. */
const given = (fields: object = {}) =>
  Environment.parse(
    resolved({ description: 'A box.', config: CONFIG, metadata: { team: 'blue', stage: 'test' }, ...fields }),
  );
const when = (environment: Environment, update: object) =>
  changedEnvironment(environment, EnvironmentUpdate.parse(update), LATER);
const cloud = (config: object) => ({ config: { type: 'cloud', ...config } });
const rule = (schema: typeof EnvironmentCreate | typeof EnvironmentUpdate, body: object) => {
  const parsed = schema.safeParse(body);
  return parsed.success ? 'accepted' : explain(parsed.error, 'body');
};

describe('a new environment', () => {
  it.each([
    [{}, { networking: { type: 'unrestricted' }, packages: NO_PACKAGES }],
    [{ config: null }, { networking: { type: 'unrestricted' }, packages: NO_PACKAGES }],
    [
      cloud({ packages: { npm: ['@scope/pkg@1'], apt: null } }),
      { packages: { ...NO_PACKAGES, npm: ['@scope/pkg@1'] } },
    ],
    [
      cloud({ networking: { type: 'limited' } }),
      {
        networking: {
          type: 'limited',
          allowed_hosts: [],
          allow_mcp_servers: false,
          allow_package_managers: false,
        },
      },
    ],
  ])('from %j has every default filled in', (fields, config) => {
    const environment = resolved(fields);
    expect(environment).toMatchObject({ config: { type: 'cloud', ...config } });
    expect(Environment.parse(environment)).toEqual(environment);
  });

  it('with limited networking cannot list packages from registries that it cannot reach', () => {
    const config = { type: 'cloud', networking: { type: 'limited' }, packages: { pip: ['pandas'] } };
    expect(resolved({ config })).toMatchObject({
      status: 'refused',
      type: 'invalid_request_error',
      message: 'config.networking.allow_package_managers: must be true to install packages',
    });
    expect(resolved({ config: { ...config, packages: { pip: [] } } })).toMatchObject({ name: 'box' });
  });

  it.each([
    [cloud({ packages: { pip: ['--index-url=https://x'] } }), /^config\.packages\.pip\.0: must not begin with "-"/],
    [cloud({ packages: { apt: ['a b'] } }), /^config\.packages\.apt\.0: .*no spaces/],
    [cloud({ packages: { apt: ['a\n'] } }), /^config\.packages\.apt\.0: .*printable/],
    [cloud({ packages: { gem: [''] } }), /^config\.packages\.gem\.0: .*at least 1/],
    [cloud({ packages: { gem: ['x'.repeat(257)] } }), /^config\.packages\.gem\.0: .*at most 256/],
    [cloud({ packages: { go: Array.from({ length: 101 }, () => 'x') } }), /^config\.packages\.go: .*at most 100/],
    [cloud({ packages: { brew: [] } }), /^config\.packages\.brew: is not a known field/],
    [cloud({ networking: { type: 'none' } }), /^config\.networking\.type: must be one of/],
    [cloud({ networking: { type: 'unrestricted', allowed_hosts: [] } }), /allowed_hosts: is not a known field/],
    [{ config: { type: 'self_hosted' } }, /^config: self_hosted environments are not supported yet/],
    [{ scope: 'account' }, /^scope: /],
    [{ name: '' }, /^name: /],
  ])('of %j is refused', (fields, message) => {
    expect(rule(EnvironmentCreate, { name: 'box', ...fields })).toMatch(message);
  });

  const hosts = (allowed_hosts: readonly string[]) =>
    rule(EnvironmentCreate, { name: 'box', ...cloud({ networking: { type: 'limited', allowed_hosts } }) });

  it.each(['example.com', 'api.example.com', '*.example.com', 'intranet'])('may allow the host %s', (host) => {
    expect(hosts([host])).toBe('accepted');
  });

  it.each([
    'https://example.com',
    'example.com:443',
    'example.com/x',
    '*',
    '*.*.com',
    'a.*.com',
    '10.0.0.1',
    '0x7f.1',
    '127.0.0.0x1',
    'example.1',
    'a b',
    '-a',
  ])('may not allow %s', (host) => {
    expect(hosts(['example.com', host])).toMatch(/^config\.networking\.allowed_hosts\.1: must be a hostname/);
  });
});

describe('an update of an environment', () => {
  it.each([
    ['a name', { name: 'lab' }, { name: 'lab' }],
    ['a null description', { description: null }, { description: null }],
    ['an empty description', { description: '' }, { description: '' }],
    ['metadata, key by key', { metadata: { team: null, stage: '', owner: 'me' } }, { metadata: { owner: 'me' } }],
    [
      'one list of packages',
      cloud({ packages: { npm: ['left-pad'] } }),
      { config: { ...CONFIG, packages: { ...CONFIG.packages, npm: ['left-pad'] } } },
    ],
    ['an emptied list of packages', cloud({ packages: { pip: [] } }), { config: { ...CONFIG, packages: NO_PACKAGES } }],
    [
      'one setting of the networking',
      cloud({ networking: { type: 'limited', allow_mcp_servers: false } }),
      { config: { ...CONFIG, networking: { ...LIMITED, allow_mcp_servers: false } } },
    ],
    [
      'another networking',
      cloud({ networking: { type: 'unrestricted' } }),
      { config: { ...CONFIG, networking: { type: 'unrestricted' } } },
    ],
  ])('that sets %s keeps the other fields', (_what, update, changed) => {
    const environment = given();
    expect(when(environment, update)).toEqual({ ...environment, ...changed, updated_at: LATER });
  });

  it.each([
    [{}],
    [{ name: null, config: null, metadata: null, scope: null }],
    [cloud({})],
    [cloud({ networking: null, packages: null })],
    [cloud({ networking: { type: 'limited', allowed_hosts: null }, packages: { pip: null } })],
    [{ name: 'box', metadata: { team: 'blue', absent: '' } }],
  ])('to %j changes nothing', (update) => {
    const environment = given();
    expect(when(environment, update)).toBe(environment);
  });

  it('is refused when it would make registries of its packages unreachable', () => {
    const update = cloud({ networking: { type: 'limited', allow_package_managers: false } });
    expect(when(given(), update)).toMatchObject({ type: 'invalid_request_error' });
  });

  it('that changes the type is refused', () => {
    expect(when(given(), { config: { type: 'self_hosted' } })).toMatchObject({
      status: 'refused',
      type: 'invalid_request_error',
      errorCode: 'invalid_config_type_change',
      message: expect.stringMatching(/^invalid_config_type_change: config\.type: /),
    });
  });

  it('is refused when the environment is archived', () => {
    expect(when({ ...given(), archived_at: CREATED }, {})).toMatchObject({
      status: 'refused',
      type: 'invalid_request_error',
      errorCode: 'environment_archived',
    });
  });
});
