/** The session's repositories. The sandbox clones each by itself, so no bytes of them are sent. */
import type { ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';

export function repositoriesSource(_world: ContentsWorld, { contents }: Recipient): ContentSource {
  const mounted = (contents?.resources ?? []).filter((one) => one.type === 'github_repository');
  return {
    async entries() {
      return mounted.map(({ id, mount_path: path, url, checkout }) => {
        return { path, version: id, access: 'read_write', form: 'repository', repository: { url, checkout } };
      });
    },
    read: async () => null,
    without: () => ({ do: 'go on', note: null }),
  };
}
