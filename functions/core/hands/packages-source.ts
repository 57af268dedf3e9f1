/** The packages of the session's environment, as the archive that this sandbox was started for. */
import { PACKAGES_DIR } from '#contract/packages.ts';
import type { ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';

const WHY = {
  missing: 'The installed packages of this environment are gone; they will be installed again.',
  refused: 'The sandbox could not take the packages of this environment.',
};

export function packagesSource({ archiveReader }: ContentsWorld, { sandbox }: Recipient): ContentSource {
  const { archive } = sandbox;
  return {
    async entries() {
      if (archive === null) return [];
      return [{ path: PACKAGES_DIR, version: archive, access: 'read_write', form: 'archive' }];
    },
    read: ({ version }) => archiveReader.read(version),
    without: (_entry, { why }) => ({
      do: 'give up',
      text: `${WHY[why]} This call had no effect. The next call gets a new sandbox.`,
    }),
  };
}
