/**
 * Judges URLs from sources that are not trusted: a model, a web page that redirects, the metadata of a server. The host
 * name is judged before it is resolved, and its addresses after that.
 */
import type { AllowedHosts } from '#contract/outbound.ts';
import { forbiddenKind, parseAddress, parseBlock, type Block } from '#core/outbound/address.ts';

export interface Destination {
  readonly url: URL;
  /** In ASCII, without brackets and without a trailing dot. */
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Blocks in which the customer allows this host, besides public addresses. */
  readonly admitted: readonly Block[];
}

interface Blocked {
  readonly status: 'blocked';
  /** Null when the text has no host. */
  readonly host: string | null;
  /** A sentence without subject; it never quotes the URL. */
  readonly rule: string;
}

type Judged = { readonly status: 'judged'; readonly destination: Destination } | Blocked;

const MAX_URL_CHARS = 8192;

/** Servers at lower ports, such as mail and SSH, might take a request for their own protocol. */
export const FIRST_FREE_PORT = 1024;

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** Names that RFC 6761, RFC 6762, RFC 8375 and ICANN keep out of the public DNS, and others that private networks use. */
const PRIVATE_NAME = /\.(?:local(?:host|domain)?|internal|intranet|private|corp|home|lan|arpa|test|invalid|onion|alt)$/;

/** Parses the URL once, and the connection uses this result: a second parser could read another host. */
export function judgeUrl(text: string, allow: AllowedHosts): Judged {
  const url = text.length <= MAX_URL_CHARS ? URL.parse(text) : null;
  if (url === null) return { status: 'blocked', host: null, rule: 'is not a valid URL' };
  const host = hostOf(url);
  const entries = allow.filter((entry) => covers(entry.host, host));
  const rule = ruleAgainst(url, host, entries);
  if (rule !== null) return { status: 'blocked', host: host === '' ? null : host, rule };
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const admitted = entries.map(({ cidr }) => parseBlock(cidr));
  return { status: 'judged', destination: { url, host, port, secure, admitted } };
}

/** In ASCII, without brackets and without a trailing dot. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/\.$/, '').replaceAll(/[[\]]/g, '');
}

/** Every address of the host must be allowed, because the system chooses the one that it connects to. */
export function ruleAgainstAddresses(
  { admitted }: Pick<Destination, 'admitted'>,
  addresses: readonly string[],
): string | null {
  for (const text of addresses) {
    const address = parseAddress(text);
    const kind = address === null ? 'an address of an unknown form' : forbiddenKind(address, admitted);
    if (kind !== null) return `resolves to ${kind}`;
  }
  return null;
}

/** Whether the host is the domain or below it. */
export function isUnder(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

/** `*.` stands for one label or more, never for none. Both in lower case. */
export function covers(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host !== pattern.slice(2) : host === pattern;
}

function ruleAgainst(url: URL, host: string, entries: AllowedHosts): string | null {
  const http = url.protocol === 'http:' && entries.some((entry) => entry.http === true);
  if (url.protocol !== 'https:' && !http) return 'may be reached over https only';
  if (url.username !== '' || url.password !== '') return 'must not be given credentials in the URL';
  if (url.port !== '' && Number(url.port) < FIRST_FREE_PORT)
    return `must not be reached at a port below ${FIRST_FREE_PORT}`;
  return entries.length > 0 ? null : ruleAgainstHost(host);
}

function ruleAgainstHost(host: string): string | null {
  // The parser has turned decimal, octal, hex, percent-encoded and full-width forms into plain addresses.
  const address = parseAddress(host);
  if (address !== null) return `is ${forbiddenKind(address) ?? 'an address where a name is required'}`;
  return ruleAgainstName(host);
}

/** For a host that is no address. */
export function ruleAgainstName(host: string): string | null {
  const labels = host.split('.');
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) return 'is not a valid host name';
  if (labels.length < 2 || PRIVATE_NAME.test(host)) return 'is not a name of the public internet';
  return null;
}
