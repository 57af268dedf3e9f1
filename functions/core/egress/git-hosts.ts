/** Which URLs are repositories, and how their hosts take a token. */
import type { GitHosts, TokenForm } from '#contract/git-hosts.ts';
import type { RepositoryGrant } from '#contract/egress.ts';
import { hostOf } from '#core/outbound/destination.ts';

const GITHUB = 'github.com';

interface RepositoryPlace {
  /** `https://host`, in lower case, with its port where it is not 443. */
  readonly origin: string;
  /** `/owner/name`. */
  readonly path: string;
  readonly name: string;
  readonly form: TokenForm;
}

type JudgedRepository =
  | ({ readonly status: 'repository' } & RepositoryPlace)
  /** A sentence without subject. */
  | { readonly status: 'refused'; readonly rule: string };

const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const MOST_SEGMENTS = 20;

/**
 * The text must be the URL as it is stored and shown, so nothing that a parser would change is in it: the sandbox's git, the
 * grant and the client read the same place.
 */
export function judgeRepository(text: string, hosts: GitHosts): JudgedRepository {
  const url = URL.parse(text);
  if (url === null || !text.startsWith('https://'))
    return refused('must be an https URL, such as https://github.com/owner/repo');
  if (url.username !== '' || url.password !== '')
    return refused('must not hold a user or a token: the token goes into authorization_token');
  if (url.search !== '' || url.hash !== '') return refused('must end with the name of the repository');
  const host = hostOf(url);
  const form = host === GITHUB && url.port === '' ? 'github' : Object.hasOwn(hosts, host) ? hosts[host] : undefined;
  if (form === undefined)
    return refused(
      `names a host of which no repositories are mounted: the option network.gitHosts admits further ones`,
    );
  const origin = `https://${host}${url.port === '' ? '' : `:${url.port}`}`;
  const path = url.pathname;
  // A host in capitals, a port 443 and an encoded path are other texts for the same place.
  if (`${origin}${path}` !== text) return refused('must be in its plain form, such as https://github.com/owner/repo');
  const segments = path.slice(1).split('/');
  const name = segments.at(-1) ?? '';
  if (!segments.every((segment) => SEGMENT.test(segment)) || segments.length > MOST_SEGMENTS)
    return refused('must name a repository, such as https://github.com/owner/repo, without a slash at its end');
  if (name.endsWith('.git')) return refused('must not end with .git');
  if (host === GITHUB && segments.length !== 2) return refused('must have the form https://github.com/owner/repo');
  return { status: 'repository', origin, path, name, form };
}

function refused(rule: string): JudgedRepository {
  return { status: 'refused', rule };
}

const basic = (pair: string) => ({ header: 'authorization', value: `Basic ${Buffer.from(pair).toString('base64')}` });

/** The header with which a host takes a token. */
export function authorizationOf(form: TokenForm, token: string): NonNullable<RepositoryGrant['authorization']> {
  switch (form) {
    case 'github':
      return basic(`x-access-token:${token}`);
    case 'gitlab':
      return basic(`oauth2:${token}`);
    case 'basic':
      return basic(token);
    case 'bearer':
      return { header: 'authorization', value: `Bearer ${token}` };
    case 'private-token':
      return { header: 'private-token', value: token };
    default:
      return form satisfies never;
  }
}
