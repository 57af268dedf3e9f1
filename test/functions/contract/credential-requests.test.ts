import { describe, expect, it } from 'vitest';
import { CredentialCreate } from '#contract/credential-requests.ts';

describe('a secret in a request', () => {
  const created = (token: string) => {
    const auth = { type: 'static_bearer', mcp_server_url: 'https://mcp.example/mcp', token };
    return CredentialCreate.safeParse({ auth });
  };

  it('may be as long as Secrets Manager stores it with quotes and name', () => {
    expect(created('x'.repeat(32_768)).success).toBe(true);
    expect(created('é'.repeat(32_000)).success).toBe(true);
    for (const token of ['"'.repeat(32_700), '\u20ac'.repeat(22_000)]) {
      expect(created(token).error?.issues).toMatchObject([{ message: 'must have at most 65000 bytes as JSON' }]);
    }
  });

  it('must not have control characters, and its refusal does not quote it', () => {
    const { error } = created('canary\r\nX-Injected: 1');
    expect(error?.issues).toMatchObject([{ message: 'must not have control characters' }]);
    expect(JSON.stringify(error?.issues)).not.toContain('canary');
  });
});

describe('the variable of a credential', () => {
  const created = (changes: object) => {
    const networking = { type: 'limited', allowed_hosts: ['api.example.com'] };
    const variable = { type: 'environment_variable', secret_name: 'KEY', secret_value: 'v', networking };
    return CredentialCreate.safeParse({ auth: { ...variable, ...changes } });
  };
  const messageOf = (changes: object) => created(changes).error?.issues[0]?.message ?? null;

  it('has a name that programs know keys by', () => {
    for (const secret_name of [
      ...['GITHUB_TOKEN', 'GH_TOKEN', 'GIT_TOKEN', 'GIT_PASSWORD', 'OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'NPM_TOKEN'],
      ...['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'DATABASE_URL', 'PGPASSWORD', 'STRIPE_KEY', 'token', '_x', 'A'],
      ...['USER', 'PASSWORD', 'NODE_AUTH_TOKEN', 'PIP_INDEX_URL', 'NOTION_KEY', 'BASHKEY', 'MY_PATH', 'PATH_KEY'],
      ...['HOMEBREW_GITHUB_API_TOKEN', 'PROXY_TOKEN', 'HTTP_PROXY_PASSWORD', 'JAVA_TOKEN', 'TWINE_PASSWORD'],
    ]) {
      expect([secret_name, messageOf({ secret_name })]).toEqual([secret_name, null]);
    }
  });

  it('has no name with which programs of a sandbox would not run', () => {
    for (const secret_name of [
      ...['PATH', 'HOME', 'IFS', 'ENV', 'BASH_ENV', 'BASH_FUNC_x', 'SHELLOPTS', 'UID', 'TMPDIR', 'PROMPT_COMMAND'],
      ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'NODE_OPTIONS', 'NODE_PATH', 'PYTHONPATH', 'PYTHONHOME'],
      ...['HTTP_PROXY', 'https_proxy', 'ALL_PROXY', 'no_proxy', 'NODE_USE_ENV_PROXY', 'npm_config_https_proxy'],
      ...[
        'SSL_CERT_FILE',
        'SSL_CERT_DIR',
        'CURL_CA_BUNDLE',
        'REQUESTS_CA_BUNDLE',
        'NODE_EXTRA_CA_CERTS',
        'AWS_CA_BUNDLE',
      ],
      ...['GIT_SSL_CAINFO', 'GIT_SSL_NO_VERIFY', 'GIT_SSH_COMMAND', 'GIT_CONFIG_COUNT', 'GIT_DIR', 'GIT_ASKPASS'],
      ...['JAVA_TOOL_OPTIONS', '_JAVA_OPTIONS', 'RUBYOPT', 'PERL5LIB', 'CLASSPATH', 'GOFLAGS', 'PIP_CERT'],
    ]) {
      const rule = 'is a variable that steers the programs of a sandbox: choose another name';
      expect([secret_name, messageOf({ secret_name })]).toEqual([secret_name, rule]);
    }
    for (const secret_name of ['', '1A', 'A-B', 'A B', 'A=B', 'É', 'A\n', 'A\0', 'x'.repeat(256)]) {
      expect(created({ secret_name }).success).toBe(false);
    }
  });

  const limited = (...allowed_hosts: unknown[]) => ({ networking: { type: 'limited', allowed_hosts } });
  const RULE = 'must be a host name, an IPv4 address or "*." and a domain, without scheme, port or path';

  it('is for hosts, IPv4 addresses and domains', () => {
    for (const host of [
      ...['api.example.com', 'API.Example.COM', 'localhost', 'a-b.example', 'xn--bcher-kva.example', '*.example.com'],
      ...[
        '192.0.2.1',
        '0.0.0.0',
        '255.255.255.255',
        '1and1.com',
        '9.example',
        '*.a.b.c.example',
        `${'a'.repeat(63)}.x`,
      ],
    ]) {
      expect([host, messageOf(limited(host))]).toEqual([host, null]);
    }
    expect(messageOf(limited(...Array.from({ length: 16 }, (_, index) => `h${index}.example`)))).toBe(null);
  });

  it('is for no other form of a host', () => {
    for (const host of [
      ...[
        'https://a.example',
        'a.example:443',
        'a.example/',
        'a.example.',
        '.example',
        'a..example',
        '*',
        '*.',
        '**.a',
      ],
      ...[
        'a.*.example',
        '*a.example',
        '::1',
        '[::1]',
        '::ffff:192.0.2.1',
        '2130706433',
        '0x7f.1',
        '127.1',
        '0x7f000001',
      ],
      ...['192.0.2.256', '192.0.2', '192.0.2.01', '*.192.0.2.1', '*.0.2.1', '192.0.2.1.5', 'a.0x1', 'a_b.example'],
      ...['bücher.example', 'a b.example', 'user@a.example', 'a.example?x', '-a.example', 'a-.example', '%61.example'],
      ...[`${'a'.repeat(64)}.x`, 'ａ.example', 'a.example\n'],
    ]) {
      expect([host, messageOf(limited(host))]).toEqual([host, RULE]);
    }
    expect(created(limited()).success).toBe(false);
    expect(created(limited(...Array.from({ length: 17 }, (_, index) => `h${index}.example`))).success).toBe(false);
    for (const networking of [null, {}, { type: 'none' }, { type: 'unrestricted', allowed_hosts: ['a.example'] }]) {
      expect(created({ networking }).success).toBe(false);
    }
  });

  it('has places of injection that are objects of booleans', () => {
    for (const injection_location of [null, { header: null }, { body: 'yes' }, { url: true }, [], 'header']) {
      expect(created({ injection_location }).success).toBe(false);
    }
  });
});
