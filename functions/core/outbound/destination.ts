/**
 * Which URL may be asked for and which address may be connected to, for URLs that strangers write: a model, a web page
 * that redirects, the metadata of a server. The name is judged before it is resolved, its addresses after.
 */
import type { AllowedHosts } from '#contract/outbound.ts';
import { forbiddenKind, parseAddress, parseBlock, type Block } from '#core/outbound/address.ts';

export interface Destination {
  readonly url: URL;
  /** In ASCII, without brackets and without a trailing dot. */
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Where the customer says that this host may be, besides the open network. */
  readonly admitted: readonly Block[];
}

interface Blocked {
  readonly status: 'blocked';
  /** Null when not even the host can be told. */
  readonly host: string | null;
  /** A sentence without subject; it never quotes the URL. */
  readonly rule: string;
}

type Judged = { readonly status: 'judged'; readonly destination: Destination } | Blocked;

const MAX_URL_CHARS = 8192;

/** Below it live mail, shells and databases that might take a request for their own protocol. */
const FIRST_FREE_PORT = 1024;

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** Names that RFC 6761, RFC 6762, RFC 8375 and ICANN keep out of the public DNS, and those that networks use as if. */
const PRIVATE_NAME = /\.(?:local(?:host|domain)?|internal|intranet|private|corp|home|lan|arpa|test|invalid|onion|alt)$/;

/** Parsed once, by the same parser whose result is connected to: two parsers could read two hosts. */
export function judgeUrl(text: string, allow: AllowedHosts): Judged {
  const url = text.length <= MAX_URL_CHARS ? URL.parse(text) : null;
  if (url === null) return { status: 'blocked', host: null, rule: 'is not a valid URL' };
  const host = url.hostname.replace(/\.$/, '').replaceAll(/[[\]]/g, '');
  const entries = allow.filter((entry) => covers(entry.host, host));
  const rule = ruleAgainst(url, host, entries);
  if (rule !== null) return { status: 'blocked', host: host === '' ? null : host, rule };
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const admitted = entries.map(({ cidr }) => parseBlock(cidr));
  return { status: 'judged', destination: { url, host, port, secure, admitted } };
}

/** Every address of a host must be one that may be reached: which of them is connected to is not ours to choose. */
export function ruleAgainstAddresses({ admitted }: Destination, addresses: readonly string[]): string | null {
  for (const text of addresses) {
    const address = parseAddress(text);
    const kind = address === null ? 'an address of an unknown form' : forbiddenKind(address, admitted);
    if (kind !== null) return `resolves to ${kind}`;
  }
  return null;
}

/** Whether a domain is the host or one above it. */
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
  // The parser has written decimal, octal, hex, percent-encoded and full-width forms as plain addresses by now.
  const address = parseAddress(host);
  if (address !== null) return `is ${forbiddenKind(address) ?? 'an address where a name is required'}`;
  const labels = host.split('.');
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) return 'is not a valid host name';
  if (labels.length < 2 || PRIVATE_NAME.test(host)) return 'is not a name of the public internet';
  return null;
}
