import { describe, expect, it } from 'vitest';
import { AllowedHosts } from '#contract/outbound.ts';
import { forbiddenKind, parseAddress } from '#core/outbound/address.ts';
import { isUnder, judgeUrl, ruleAgainstAddresses } from '#core/outbound/destination.ts';

const blocked = (url: string, allow: AllowedHosts = []) => {
  const judged = judgeUrl(url, allow);
  return judged.status === 'blocked' ? `${judged.host}: ${judged.rule}` : 'judged';
};
const kindOf = (text: string) => {
  const address = parseAddress(text);
  return address === null ? 'no address' : forbiddenKind(address);
};

describe('a URL is refused before its name is resolved, when it has', () => {
  it.each([
    ['a loopback address', 'https://127.0.0.1/', /loopback/],
    ['the runtime API of a Lambda function', 'https://127.0.0.1:9001/2018-06-01/runtime', /loopback/],
    ['a decimal address', 'https://2130706433/', /^127\.0\.0\.1: is a loopback/],
    ['a hexadecimal address', 'https://0x7f000001/', /loopback/],
    ['an octal address', 'https://0177.0.0.1/', /loopback/],
    ['an address of two parts', 'https://127.1/', /loopback/],
    ['a percent-encoded address', 'https://127%2e0%2e0%2e1/', /loopback/],
    ['an address in full-width digits', 'https://１２７.０.０.１/', /loopback/],
    ['an address with a trailing dot', 'https://127.0.0.1./', /loopback/],
    ['zero', 'https://0/', /unspecified/],
    ['a private address', 'https://10.0.0.1/', /private/],
    ['another private address', 'https://172.31.255.255/', /private/],
    ['one more private address', 'https://192.168.1.1/', /private/],
    ['a carrier’s shared address', 'https://100.64.0.1/', /shared/],
    ['instance metadata', 'https://169.254.169.254/latest/meta-data/', /metadata/],
    ['a container’s credentials', 'https://169.254.170.2/v2/credentials', /metadata/],
    ['instance metadata over IPv6', 'https://[fd00:ec2::254]/', /metadata/],
    ['a multicast address', 'https://224.0.0.1/', /multicast/],
    ['the broadcast address', 'https://255.255.255.255/', /reserved/],
    ['IPv6 loopback', 'https://[::1]/', /loopback/],
    ['IPv6 unspecified', 'https://[::]/', /unspecified/],
    ['an IPv4-mapped address', 'https://[::ffff:127.0.0.1]/', /loopback/],
    ['an IPv4-mapped address in hex', 'https://[::ffff:a9fe:a9fe]/', /metadata/],
    ['an IPv4-compatible address', 'https://[::127.0.0.1]/', /stands for another/],
    ['a NAT64 address', 'https://[64:ff9b::a9fe:a9fe]/', /stands for another/],
    ['a 6to4 address', 'https://[2002:7f00:1::]/', /stands for another/],
    ['a Teredo address', 'https://[2001:0:1::1]/', /stands for another/],
    ['a unique local address', 'https://[fd12:3456::1]/', /private/],
    ['a link-local address', 'https://[fe80::1]/', /link-local/],
    ['an address with a zone id', 'https://[fe80::1%25eth0]/', /not a valid URL/],
    ['a public address without a name', 'https://93.184.216.34/', /a name is required/],
    ['localhost', 'https://localhost/', /not a name of the public internet/],
    ['localhost with a trailing dot', 'https://localhost./', /not a name of the public internet/],
    ['localhost in circled letters', 'https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/', /not a name of the public internet/],
    ['a name under localhost', 'https://app.localhost/', /not a name of the public internet/],
    ['a name under internal', 'https://metadata.google.internal/', /not a name of the public internet/],
    ['a name of the local network', 'https://printer.local/', /not a name of the public internet/],
    ['a name under internal, with a trailing dot', 'https://a.internal./', /not a name of the public internet/],
    ['a single label', 'https://intranet/', /not a name of the public internet/],
    ['an empty label', 'https://example.com../', /not a valid host name/],
    ['a wildcard', 'https://*.example.com/', /not a valid host name/],
    ['plain http', 'http://example.com/', /https only/],
    ['a file', 'file:///etc/passwd', /^null: may be reached over https only/],
    ['another protocol', 'gopher://example.com/', /https only/],
    ['credentials', 'https://user:hunter2@example.com/', /credentials/],
    ['a user name that looks like the host', 'https://example.com@10.0.0.1/', /^10\.0\.0\.1: must not be given cred/],
    ['a mail port', 'https://example.com:25/', /port below 1024/],
    ['no URL at all', 'example.com', /not a valid URL/],
    ['a URL without end', `https://example.com/${'a'.repeat(9000)}`, /not a valid URL/],
  ])('a form that the rules exclude: %s', (_what, url, rule) => {
    expect(blocked(url)).toMatch(rule);
  });

  it('any such form, and the refusal repeats neither its path nor its query nor its credentials', () => {
    for (const url of [
      'http://example.com/a?token=hunter2',
      'https://u:hunter2@example.com/',
      'https://10.0.0.1/hunter2',
    ]) {
      expect(blocked(url)).not.toMatch(/hunter2|token/);
    }
  });
});

describe('a URL is admitted to name resolution', () => {
  it.each([
    ['https://example.com', 'example.com', 443],
    ['https://Example.COM./path?q=1#f', 'example.com', 443],
    ['https://mcp.example.com:8443/sse', 'mcp.example.com', 8443],
    ['https://bücher.example.com/', 'xn--bcher-kva.example.com', 443],
    ['https://127.0.0.1.nip.io/', '127.0.0.1.nip.io', 443],
    ['https://example.com\\@10.0.0.1/', 'example.com', 443],
  ])('with the host and port that it connects to: %s', (url, host, port) => {
    expect(judgeUrl(url, [])).toMatchObject({ status: 'judged', destination: { host, port, secure: true } });
  });
});

describe('the addresses that a host name resolves to', () => {
  const rule = (addresses: readonly string[], allow: AllowedHosts = []) => {
    const judged = judgeUrl('https://www.example.com/', allow);
    return judged.status === 'judged' ? ruleAgainstAddresses(judged.destination, addresses) : 'blocked';
  };

  it('must all be public', () => {
    expect(rule(['93.184.216.34', '2606:2800:220:1::1'])).toBeNull();
    expect(rule(['93.184.216.34', '10.0.0.1'])).toBe('resolves to a private address');
    expect(rule(['::ffff:10.0.0.1'])).toBe('resolves to a private address');
    expect(rule(['fe80::1%eth0'])).toBe('resolves to an address of an unknown form');
  });

  it('may be private only for a host and in a range that the customer allows', () => {
    const allow = [{ host: 'www.example.com', cidr: '10.1.0.0/16' }];
    expect(rule(['10.1.2.3'], allow)).toBeNull();
    expect(rule(['::ffff:10.1.2.3'], allow)).toBeNull();
    expect(rule(['93.184.216.34'], allow)).toBeNull();
    expect(rule(['10.2.0.1'], allow)).toBe('resolves to a private address');
    expect(rule(['10.1.2.3'], [{ host: 'other.example.com', cidr: '10.1.0.0/16' }])).toBe(
      'resolves to a private address',
    );
  });

  it('are never the cloud’s metadata endpoint, whatever a customer allows', () => {
    for (const [cidr, address] of [
      ['0.0.0.0/0', '169.254.169.254'],
      ['169.254.0.0/16', '169.254.170.23'],
      ['::/0', 'fd00:ec2::254'],
    ] as const) {
      expect(rule([address], [{ host: 'www.example.com', cidr }])).toMatch(/metadata/);
    }
  });
});

describe('an allowed host of a customer', () => {
  const allow: AllowedHosts = [
    { host: '*.corp.internal', cidr: '10.0.0.0/8' },
    { host: 'tools', cidr: '10.0.0.0/8', http: true },
    { host: '10.9.8.7', cidr: '10.9.8.7/32' },
  ];

  it('may be a private name, an address, or use plain http where the entry says so', () => {
    expect(blocked('https://a.corp.internal/', allow)).toBe('judged');
    expect(blocked('https://a.b.corp.internal/', allow)).toBe('judged');
    expect(blocked('http://tools/', allow)).toBe('judged');
    expect(blocked('https://10.9.8.7/', allow)).toBe('judged');
  });

  it('is matched by its exact name or its wildcard, and by no similar name', () => {
    expect(blocked('https://corp.internal/', allow)).toMatch(/public internet/);
    expect(blocked('https://acorp.internal/', allow)).toMatch(/public internet/);
    expect(blocked('https://tools.example.internal/', allow)).toMatch(/public internet/);
    expect(blocked('http://a.corp.internal/', allow)).toMatch(/https only/);
    expect(blocked('https://10.9.8.6/', allow)).toMatch(/private/);
  });

  it('has one unambiguous form', () => {
    const parses = (host: string, cidr = '10.0.0.0/8') => AllowedHosts.safeParse([{ host, cidr }]).success;
    expect(['tools', 'a.corp', '*.corp.internal', '10.9.8.7'].map((host) => parses(host))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['', '*', 'a.*.b', 'https://a', 'A.corp', 'a.corp.', 'a/b', 'a:80'].filter((host) => parses(host))).toEqual(
      [],
    );
    expect(['10.0.0.1', '10.0.0.0/33', 'fd00::/129', 'any'].filter((cidr) => parses('tools', cidr))).toEqual([]);
  });
});

describe('the kind of an address', () => {
  it.each([
    ['8.8.8.8', null],
    ['172.32.0.1', null],
    ['100.128.0.1', null],
    ['2606:4700:4700::1111', null],
    ['2001:4860:4860::8888', null],
    ['::ffff:8.8.8.8', null],
    ['198.18.0.1', 'a reserved address'],
    ['2001:db8::1', 'a reserved address'],
    ['4000::1', 'a reserved address'],
    ['fec0::1', 'a private address'],
    ['::ffff:0:127.0.0.1', 'an address that stands for another one'],
    ['0.1.2.3', 'an unspecified address'],
    ['240.0.0.1', 'a reserved address'],
    ['64:ff9b:1::1', 'an address that stands for another one'],
  ])('of %s is %s', (text, kind) => {
    expect(kindOf(text)).toBe(kind);
  });

  it.each([
    '',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.256',
    '1.2.3.4.5',
    '0x7f.0.0.1',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    'fe80::1%1',
  ])('of "%s" is none, because the text is no address', (text) => {
    expect(kindOf(text)).toBe('no address');
  });
});

it('a domain covers itself and its subdomains only', () => {
  expect(isUnder('example.com', 'example.com')).toBe(true);
  expect(isUnder('docs.example.com', 'example.com')).toBe(true);
  expect(isUnder('badexample.com', 'example.com')).toBe(false);
  expect(isUnder('com', 'example.com')).toBe(false);
});
