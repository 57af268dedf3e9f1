/**
 * Which requests are those of git to a repository of the session. The path is compared as it is written, byte by byte: a
 * path in any other writing (`..`, `%2e`, `//`, another case) is not a repository's, whatever the server makes of it.
 */
import type { RepositoryGrant } from '#contract/egress.ts';

interface GitRequest {
  /** `https://host`, with the port when it is not 443. */
  readonly origin: string;
  readonly method: string;
  /** Path and query, as the program wrote them. */
  readonly path: string;
}

export interface GitAccess {
  readonly grant: RepositoryGrant;
  /**
   * `owner`: another repository of the same owner, which may be a submodule. It is only read, and what it gives is up to
   * the server and the token.
   */
  readonly to: 'repository' | 'owner';
}

const READ: readonly string[] = ['GET /info/refs?service=git-upload-pack', 'POST /git-upload-pack'];
const WRITE: readonly string[] = ['GET /info/refs?service=git-receive-pack', 'POST /git-receive-pack'];
/** `/info/lfs/objects/batch`, `/info/lfs/locks?limit=100` and their kin. */
const LFS = /^(?:GET|POST|PUT) \/info\/lfs(?:\/(?!\.{1,2}(?:[/?]|$))[\w.-]+)+(?:\?[\w.~%&=+:/-]*)?$/;
const NAME = /^(?!\.)[\w.-]+$/;

export function gitAccess(repositories: readonly RepositoryGrant[], request: GitRequest): GitAccess | null {
  const here = repositories.filter(({ origin }) => origin === request.origin);
  const there = here.toSorted((a, b) => Number(a.authorization === null) - Number(b.authorization === null));
  const own = there.find((grant) => isOfRepository(grant, request));
  if (own !== undefined) return { grant: own, to: 'repository' };
  const ofOwner = there.find((grant) => isOfOwner(grant, request));
  return ofOwner === undefined ? null : { grant: ofOwner, to: 'owner' };
}

function isOfRepository({ path }: RepositoryGrant, request: GitRequest): boolean {
  return restsBelow(path, request).some((rest) => READ.includes(rest) || WRITE.includes(rest) || LFS.test(rest));
}

/** `/owner/other` beside `/owner/name`; a repository without an owner has none beside it. */
function isOfOwner({ path }: RepositoryGrant, request: GitRequest): boolean {
  const owner = path.slice(0, path.lastIndexOf('/') + 1);
  if (owner === '/' || !request.path.startsWith(owner)) return false;
  const [name = ''] = request.path.slice(owner.length).split('/');
  return NAME.test(name) && restsBelow(`${owner}${name}`, request).some((rest) => READ.includes(rest));
}

/** What is below the path, with its method. A server takes a repository's name with and without `.git`. */
function restsBelow(repository: string, { method, path }: GitRequest): readonly string[] {
  return [`${repository}/`, `${repository}.git/`]
    .filter((prefix) => path.startsWith(prefix))
    .map((prefix) => `${method} ${path.slice(prefix.length - 1)}`);
}
