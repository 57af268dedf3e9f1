import { describe, expect, it } from 'vitest';
import type { Granted, Reach } from '#contract/egress.ts';
import { CredentialId, ResourceId, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import { decide, decideAddresses, isOpened } from '#core/egress/decide.ts';
import { absoluteTarget, tunnelTarget } from '#core/egress/target.ts';

const SUBJECT = {
  type: 'session',
  workspace: WorkspaceId.parse('wrkspc_1'),
  session: SessionId.parse('sesn_1'),
} as const;

function granted(reach: Reach, more: Partial<Granted> = {}): Granted {
  return { status: 'granted', subject: SUBJECT, reach, substitutions: [], repositories: [], ...more };
}

const OWN = ['abc123.execute-api.eu-west-1.amazonaws.com'];
const ANY = granted({ type: 'unrestricted' });
const limited = (...hosts: string[]) => granted({ type: 'limited', hosts });

/** The decision on `CONNECT` to that authority. */
function tunnel(grant: Granted, authority: string, allow: AllowedHosts = []) {
  const target = tunnelTarget(authority);
  return target === null
    ? { status: 'refused', rule: 'form', sentence: '' }
    : decide(grant, target, { allow, ownHosts: OWN });
}

function plain(grant: Granted, url: string, allow: AllowedHosts = []) {
  const target = absoluteTarget(url);
  return target === null
    ? { status: 'refused', rule: 'form', sentence: '' }
    : decide(grant, target, { allow, ownHosts: OWN });
}

describe('an unrestricted reach', () => {
  it.each([
    ...['example.com:443', 'EXAMPLE.com.:443', 'example.com:80', 'example.com:1024', 'example.com:65535'],
    ...['93.184.216.34:443', '[2606:2800:21f:cb07::1]:443', 'bücher.example.com:443', 'xn--bcher-kva.example.com:443'],
  ])('reaches %s', (authority) => {
    expect(tunnel(ANY, authority)).toEqual({ status: 'allowed', admitted: [], reaches: 'host' });
  });

  it.each([
    ...[
      '127.0.0.1',
      '127.1',
      '127.0.1',
      '2130706433',
      '0x7f000001',
      '0x7f.1',
      '017700000001',
      '0177.0.0.1',
      '127.0.0.1.',
    ],
    ...[
      '%31%32%37.0.0.1',
      '①②⑦.⓪.⓪.①',
      '127。0。0。1',
      '0',
      '0.0.0.0',
      '10.0.0.1',
      '0xa.1',
      '172.16.0.1',
      '192.168.1.1',
    ],
    ...['169.254.169.254', '2852039166', '0xa9fea9fe', '169.254.170.2', '100.64.0.1', '224.0.0.1', '255.255.255.255'],
    ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::ffff:169.254.169.254]', '[::127.0.0.1]'],
    ...[
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[fd00:ec2::254]',
      '[fe80::1]',
      '[fc00::1]',
      '[2001:db8::1]',
      '[ff02::1]',
    ],
    ...[
      'localhost',
      'LOCALHOST.',
      'foo.localhost',
      'metadata.google.internal',
      'printer.local',
      'router.lan',
      'intranet',
    ],
    ...['proxy', 'x.home.arpa', 'a.onion', 'db.corp', '_', 'example..com', '-a.example.com', `${'a'.repeat(64)}.com`],
  ])('does not reach %s, and says that no setting of the environment helps', (host) => {
    for (const decision of [tunnel(ANY, `${host}:443`), plain(ANY, `http://${host}/`)]) {
      if (decision.status === 'refused' && decision.rule === 'form') continue;
      expect(decision).toMatchObject({ status: 'refused', rule: 'not_public' });
      expect(decision).toHaveProperty('sentence', expect.stringMatching(/^[ -~]+ network\.allow of this deployment/));
    }
  });

  it.each([0, 1, 22, 25, 53, 81, 442, 444, 445, 853, 1023])('does not reach port %i', (port) => {
    expect(tunnel(ANY, `example.com:${port}`)).toMatchObject({
      rule: 'port',
      sentence: expect.stringContaining(`${port}`),
    });
    expect(plain(ANY, `http://example.com:${port}/`)).toMatchObject({ rule: 'port' });
  });
});

it('no reach and no entry of the deployment opens the service itself', () => {
  const [own = ''] = OWN;
  const allow = [{ host: own, cidr: '10.0.0.0/8', http: true }];
  for (const name of [own, own.toUpperCase(), `${own}.`]) {
    expect(tunnel(ANY, `${name}:443`)).toMatchObject({ rule: 'own_host' });
    expect(plain(limited(own), `http://${name}/`, allow)).toMatchObject({ rule: 'own_host' });
  }
  expect(tunnel(ANY, 'other.execute-api.eu-west-1.amazonaws.com:443')).toMatchObject({ status: 'allowed' });
});

describe('a limited reach', () => {
  it.each([
    ['example.com', 'example.com', true],
    ['example.com', 'EXAMPLE.COM.', true],
    ['example.com', 'www.example.com', false],
    ['example.com', 'notexample.com', false],
    ['example.com', 'example.com.evil.org', false],
    ['*.example.com', 'www.example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'evilexample.com', false],
    ['*.example.com', 'www.example.com.evil.org', false],
    ['93.184.216.34', '93.184.216.34', true],
    ['93.184.216.34', '[::ffff:93.184.216.34]', false],
    ['93.184.216.34', '0x5d.184.216.34', true],
    ['xn--bcher-kva.example.com', 'bücher.example.com', true],
  ])('of %s: reaches %s is %s', (pattern, host, reached) => {
    const decision = tunnel(limited(pattern), `${host}:443`);
    expect(decision.status).toBe(reached ? 'allowed' : 'refused');
    if (!reached) expect(decision).toMatchObject({ rule: 'allowed_hosts' });
  });

  it('without hosts reaches nothing', () => {
    expect(tunnel(limited(), 'example.com:443')).toMatchObject({ status: 'refused', rule: 'allowed_hosts' });
  });

  it('names what allows the host: the environment, or the deployment', () => {
    const sentence = (grant: Granted) => (tunnel(grant, 'example.com:443') as { sentence: string }).sentence;
    expect(sentence(limited('other.com'))).toMatch(/^example\.com is not reached: add it to networking\.allowed_hosts/);
    const narrowed = granted({ type: 'limited', hosts: [], narrowedBy: 'network.max' });
    expect(sentence(narrowed)).toMatch(/network\.max of this deployment is "limited".*allowed_hosts/);
    expect(sentence(granted({ type: 'none' }))).toMatch(/network\.max of this deployment is "none"/);
    expect(tunnel(granted({ type: 'none' }), 'example.com:443')).toMatchObject({ rule: 'network_max' });
  });
});

describe('private hosts of the customer', () => {
  const allow = [
    { host: 'git.corp', cidr: '10.1.0.0/16' },
    { host: '*.plain.corp', cidr: 'fd12::/16', http: true },
  ];

  it('are reached where both the deployment and the environment name them', () => {
    expect(tunnel(ANY, 'git.corp:443', allow)).toMatchObject({ status: 'allowed' });
    expect(tunnel(limited('git.corp'), 'git.corp:443', allow)).toMatchObject({ status: 'allowed' });
    expect(tunnel(limited('example.com'), 'git.corp:443', allow)).toMatchObject({ rule: 'allowed_hosts' });
    expect(tunnel(ANY, 'other.corp:443', allow)).toMatchObject({ rule: 'not_public' });
  });

  it('are reached over plain HTTP only where the deployment says so', () => {
    expect(plain(ANY, 'http://git.corp/', allow)).toMatchObject({ rule: 'not_public' });
    expect(plain(ANY, 'http://a.plain.corp/', allow)).toMatchObject({ status: 'allowed' });
  });

  it('have their addresses in the named blocks, and never at the servers of the cloud', () => {
    const at = (...addresses: string[]) => {
      const decision = tunnel(ANY, 'git.corp:443', [{ host: 'git.corp', cidr: '0.0.0.0/0' }, ...allow.slice(0, 1)]);
      return decision.status === 'allowed' && 'admitted' in decision
        ? decideAddresses('git.corp', decision, addresses)
        : null;
    };
    expect(at('10.1.2.3')).toBeNull();
    expect(at('127.0.0.1', '93.184.216.34')).toBeNull();
    expect(at('169.254.169.254')).toMatchObject({ rule: 'not_public' });
    const narrow = decide(ANY, { host: 'git.corp', port: 443, scheme: 'tunnel' }, { allow, ownHosts: [] });
    if (narrow.status !== 'allowed') throw new Error('refused');
    expect(decideAddresses('git.corp', narrow, ['10.2.0.1'])).toMatchObject({ rule: 'not_public' });
    expect(decideAddresses('git.corp', narrow, ['10.1.0.1', 'fe80::1%eth0'])).toMatchObject({ rule: 'not_public' });
  });
});

describe('secrets', () => {
  const repository = {
    resource: ResourceId.parse('sesrsc_1'),
    origin: 'https://git.example.com',
    path: '/o/r',
    authorization: null,
  };
  const substitution = {
    credential: CredentialId.parse('vcrd_1'),
    placeholder: 'placeholder_0123456789',
    secret: 'secret',
    hosts: ['*.api.example.com'],
    header: true,
    body: false,
  };
  const target = (host: string, port = 443) => ({ host, port, scheme: 'tunnel' as const });

  it('a repository opens its origin to a session that reaches nothing else, over TLS only', () => {
    const grant = granted({ type: 'limited', hosts: [] }, { repositories: [repository] });
    expect(tunnel(grant, 'git.example.com:443')).toMatchObject({ status: 'allowed', reaches: 'repositories' });
    expect(tunnel(grant, 'git.example.com:8443')).toMatchObject({ status: 'refused' });
    expect(tunnel(grant, 'www.git.example.com:443')).toMatchObject({ status: 'refused' });
    expect(plain(grant, 'http://git.example.com:443/')).toMatchObject({ status: 'refused' });
    expect(isOpened(grant, target('git.example.com'))).toBe(true);
    expect(isOpened(grant, target('git.example.com', 8443))).toBe(false);
    const whole = granted({ type: 'unrestricted' }, { repositories: [repository] });
    expect(tunnel(whole, 'git.example.com:443')).toMatchObject({ status: 'allowed', reaches: 'host' });
  });

  it('TLS is opened for the hosts of a credential, and for all when it names none', () => {
    const some = granted({ type: 'unrestricted' }, { substitutions: [substitution] });
    expect(isOpened(some, target('a.api.example.com'))).toBe(true);
    expect(isOpened(some, target('api.example.com'))).toBe(false);
    const all = granted({ type: 'unrestricted' }, { substitutions: [{ ...substitution, hosts: null }] });
    expect(isOpened(all, target('anything.org'))).toBe(true);
    expect(isOpened(ANY, target('anything.org'))).toBe(false);
  });
});
