import { WORKDIR } from '../functions/contract/hands.ts';
import { PACKAGES_DIR } from '../functions/contract/packages.ts';

/**
 * Where the session's folders are. A sandbox that shares the machine's file system has them elsewhere than the session's
 * names say.
 */
export interface Places {
  readonly workdir: string;
  readonly mnt: string;
  /** Null for a sandbox without packages. */
  readonly packagesDir: string | null;
}

/** The file of a path as the session sees it. */
export function fileOf(places: Places, path: string): string {
  const folders = [
    [WORKDIR, places.workdir],
    ['/mnt', places.mnt],
    [PACKAGES_DIR, places.packagesDir ?? PACKAGES_DIR],
  ] as const;
  const found = folders.find(([named]) => path === named || path.startsWith(`${named}/`));
  return found === undefined ? path : `${found[1]}${path.slice(found[0].length)}`;
}

/** A text of the agent, with the session's names of folders replaced where these are elsewhere. */
export function located(text: string, { workdir, mnt }: Places): string {
  const inWorkdir = workdir === WORKDIR ? text : text.replaceAll(/(?<![\w./-])\/workspace(?![\w.-])/g, () => workdir);
  return mnt === '/mnt' ? inWorkdir : inWorkdir.replaceAll(/(?<![\w./-])\/mnt(?![\w.-])/g, () => mnt);
}
