import { describe, expect, it } from 'vitest';
import type { RepositoryGrant } from '#contract/egress.ts';
import { ResourceId } from '#contract/ids.ts';
import { gitAccess } from '#core/egress/repository-paths.ts';

const ORIGIN = 'https://git.example.com';
const grant = (path: string): RepositoryGrant => ({
  resource: ResourceId.parse('sesrsc_1'),
  origin: ORIGIN,
  path,
  authorization: null,
});
const GRANTS = [grant('/owner/name')];
const accessTo = (request: string, origin = ORIGIN, grants = GRANTS) => {
  const [method = '', path = ''] = request.split(' ');
  return gitAccess(grants, { origin, method, path })?.to ?? null;
};

describe('the paths of a repository', () => {
  it.each([
    'GET /owner/name/info/refs?service=git-upload-pack',
    'GET /owner/name.git/info/refs?service=git-upload-pack',
    'GET /owner/name.git/info/refs?service=git-receive-pack',
    'POST /owner/name.git/git-upload-pack',
    'POST /owner/name/git-receive-pack',
    'POST /owner/name.git/info/lfs/objects/batch',
    'GET /owner/name.git/info/lfs/locks?limit=100&refspec=refs%2Fheads%2Fmain',
    'POST /owner/name.git/info/lfs/locks/12/unlock',
    `PUT /owner/name.git/info/lfs/objects/${'a'.repeat(64)}`,
  ])('are those of smart HTTP and LFS: %s', (request) => {
    expect(accessTo(request)).toBe('repository');
  });

  it.each([
    'GET /owner/other/info/refs?service=git-upload-pack',
    'POST /owner/other.git/git-upload-pack',
    'POST /owner/name.wiki.git/git-upload-pack',
  ])('of another repository of the owner are read: %s', (request) => {
    expect(accessTo(request)).toBe('owner');
  });

  it.each([
    // Other paths of the repository and of the host.
    'GET /owner/name',
    'GET /owner/name.git',
    'GET /owner/name.git/',
    'GET /owner/name.git/HEAD',
    'GET /owner/name.git/objects/info/packs',
    'GET /api/v3/user',
    'GET /',
    '',
    // Another method.
    'POST /owner/name.git/info/refs?service=git-upload-pack',
    'GET /owner/name.git/git-upload-pack',
    'DELETE /owner/name.git/git-upload-pack',
    'DELETE /owner/name.git/info/lfs/objects/1',
    'PATCH /owner/name.git/info/lfs/objects/1',
    // Another query.
    'GET /owner/name.git/info/refs',
    'GET /owner/name.git/info/refs?service=git-upload-archive',
    'GET /owner/name.git/info/refs?service=git-upload-pack&a=b',
    'GET /owner/name.git/info/refs?a=b&service=git-upload-pack',
    'GET /owner/name.git/info/refs?service=git%2dupload-pack',
    'GET /owner/name.git/info/refs;/x?service=git-upload-pack',
    'POST /owner/name.git/git-upload-pack?path=/other',
    'POST /owner/name.git/git-upload-pack/',
    // Other writings of a path.
    'POST /owner/name.git/../../other/repo.git/git-upload-pack',
    'POST /owner/name.git/%2e%2e/%2e%2e/other/repo.git/git-upload-pack',
    'POST /owner/name.git/..%2f..%2fother/git-upload-pack',
    'POST /owner/./name.git/git-upload-pack',
    'POST /owner/../owner/name.git/git-upload-pack',
    'POST /owner/..git/git-upload-pack',
    'POST //owner/name.git/git-upload-pack',
    'POST /owner//name.git/git-upload-pack',
    'POST /owner/name.git//git-upload-pack',
    'POST /OWNER/name.git/git-upload-pack',
    'POST /owner/NAME.git/git-receive-pack',
    'POST /owner/name.GIT/git-receive-pack',
    'POST /owner%2fname.git/git-upload-pack',
    'POST /%6fwner/name.git/git-upload-pack',
    'POST /owner/name.git%00/git-upload-pack',
    'POST \\owner\\name.git\\git-upload-pack',
    'POST /owner/name.git\\git-upload-pack',
    'POST /owner/name.git/git-upload-pack#x',
    'POST owner/name.git/git-upload-pack',
    'POST https://git.example.com/owner/name.git/git-upload-pack',
    // Out of LFS.
    'GET /owner/name.git/info/lfs',
    'GET /owner/name.git/info/lfs/',
    'GET /owner/name.git/info/lfs/../../../other/repo/archive.zip',
    'GET /owner/name.git/info/lfs/..',
    'GET /owner/name.git/info/lfs/.',
    'GET /owner/name.git/info/lfs/..?a=b',
    'GET /owner/name.git/info/lfs/objects/..%2f..',
    'GET /owner/name.git/info/lfs/%2e%2e/secret',
    'GET /owner/name.git/info/lfs//objects',
    'GET /owner/name.git/info/lfs/objects;/../x',
    'GET /owner/name.git/info/lfs/objects\\..\\x',
    // Another repository: neither written nor its LFS read.
    'POST /owner/other.git/git-receive-pack',
    'GET /owner/other.git/info/refs?service=git-receive-pack',
    'POST /owner/other.git/info/lfs/objects/batch',
    'POST /owner/sub/other.git/git-upload-pack',
    'POST /owner/.git/git-upload-pack',
    'POST /owner/../git-upload-pack',
    'POST /owner2/name.git/git-upload-pack',
    'POST /own/name.git/git-upload-pack',
    'POST /owner/name.git.git/git-receive-pack',
  ])('are no others: %s', (request) => {
    expect(accessTo(request)).toBeNull();
  });

  it.each([
    'https://git.example.com:8443',
    'http://git.example.com',
    'https://example.com',
    'https://evil.example.com',
  ])('are not those of %s', (origin) => {
    expect(accessTo('POST /owner/name.git/git-upload-pack', origin)).toBeNull();
  });

  it('without an owner stand alone', () => {
    expect(accessTo('POST /name.git/git-upload-pack', ORIGIN, [grant('/name')])).toBe('repository');
    expect(accessTo('POST /other.git/git-upload-pack', ORIGIN, [grant('/name')])).toBeNull();
  });

  it('of a repository of the session get its own token, although another one has the same owner', () => {
    const both = [grant('/owner/other'), grant('/owner/name')];
    const found = gitAccess(both, { origin: ORIGIN, method: 'POST', path: '/owner/name.git/git-upload-pack' });
    expect(found).toEqual({ grant: both[1], to: 'repository' });
  });
});
