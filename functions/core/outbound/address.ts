/** IP addresses as numbers, and the kinds that may not be reached. An address that is not known to be public is not public. */

interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** The addresses that equal `prefix` after `shift` bits are dropped. */
export interface Block {
  readonly family: 4 | 6;
  readonly prefix: bigint;
  readonly shift: bigint;
}

const DECIMAL = /^(?:0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;

/** Accepts dotted decimals and colon notation only; names, zone ids, octal and other forms are no addresses. */
export function parseAddress(text: string): Address | null {
  const value = text.includes(':') ? parseV6(text) : parseV4(text);
  return value === null ? null : { family: text.includes(':') ? 6 : 4, value };
}

function parseV4(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => DECIMAL.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseV6(text: string): bigint | null {
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return null;
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  if (before === null || after === null) return null;
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const groups = [...before, ...Array.from({ length: missing }, () => 0n), ...after];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}

function groupsOf(text: string): readonly bigint[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const embedded = parts.at(-1)?.includes('.') === true ? parseV4(parts.pop() ?? '') : undefined;
  if (embedded === null || !parts.every((part) => GROUP.test(part))) return null;
  const groups = parts.map((part) => BigInt(`0x${part}`));
  return embedded === undefined ? groups : [...groups, embedded >> 16n, embedded & 0xffffn];
}

/** `10.0.0.0/8`; bits after the prefix do not count. */
export function parseBlock(cidr: string): Block {
  const [text = '', length = ''] = cidr.split('/');
  const address = parseAddress(text);
  if (address === null || !/^\d{1,3}$/.test(length)) throw new TypeError(`${cidr} is no CIDR block`);
  const shift = BigInt((address.family === 4 ? 32 : 128) - Number(length));
  return { family: address.family, prefix: address.value >> shift, shift };
}

function isWithin(address: Address, block: Block): boolean {
  return address.family === block.family && address.value >> block.shift === block.prefix;
}

const kinds = (rows: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(rows).flatMap(([kind, blocks]) => blocks.map((cidr) => ({ kind, block: parseBlock(cidr) })));

/** Never reached, also when the customer allows them: only servers of the cloud itself are there. */
const NEVER = kinds({
  'an instance metadata address': ['169.254.169.254/32', '169.254.170.0/24', 'fd00:ec2::/32'],
  'a link-local address': ['169.254.0.0/16', 'fe80::/10'],
  'a multicast address': ['224.0.0.0/4', 'ff00::/8'],
  // Linux connects it to this host.
  'an unspecified address': ['0.0.0.0/8', '::/128'],
});

/** IANA's special-purpose registries. An address that stands for another one must not avoid the rules for that one. */
const NOT_PUBLIC = kinds({
  // In a Lambda function, the runtime's own API listens here.
  'a loopback address': ['127.0.0.0/8', '::1/128'],
  'a private address': ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
  'a shared address of a carrier': ['100.64.0.0/10'],
  'an address that stands for another one': [
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '2002::/16',
    '2001::/32',
    '::/96',
    '::ffff:0:0:0/96',
    '192.88.99.0/24',
  ],
  'a reserved address': [
    '192.0.0.0/24',
    '192.0.2.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '240.0.0.0/4',
    '2001::/23',
    '2001:db8::/32',
    '3fff::/20',
  ],
});

const V4_IN_V6 = parseBlock('::ffff:0:0/96');
/** All addresses that IANA has assigned. */
const GLOBAL_V6 = parseBlock('2000::/3');

/** The kind of an address that may not be reached; null for a public address, and for one that the blocks admit. */
export function forbiddenKind(given: Address, admitted: readonly Block[] = []): string | null {
  const address: Address = isWithin(given, V4_IN_V6) ? { family: 4, value: given.value & 0xffff_ffffn } : given;
  const kindIn = (table: typeof NEVER) => table.find(({ block }) => isWithin(address, block))?.kind ?? null;
  const never = kindIn(NEVER);
  if (never !== null) return never;
  if (admitted.some((block) => isWithin(address, block))) return null;
  return kindIn(NOT_PUBLIC) ?? (address.family === 6 && !isWithin(address, GLOBAL_V6) ? 'a reserved address' : null);
}
