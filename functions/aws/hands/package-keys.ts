/** Where archives are in the content bucket; a log's content is under its session's id, `sesn_…`. */
export const PACKAGES_PREFIX = 'packages/';

export function archiveKey(archive: string): string {
  return `${PACKAGES_PREFIX}${archive}/archive.tar.gz`;
}
