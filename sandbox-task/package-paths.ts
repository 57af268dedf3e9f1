import { join } from 'node:path';

const TRIPLETS: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** Search paths and variables with which programs find packages outside the system's folders. */
export interface PackagePaths {
  readonly path: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * One folder per manager below `dir`. The folder of `apt` is a file system of its own, unpacked and not configured. A
 * program in it that looks for data below `/usr` does not find them; an installation without root cannot change that.
 */
export function packagePaths(dir: string): PackagePaths {
  const of = (...parts: readonly string[]): string => join(dir, ...parts);
  const triplet = TRIPLETS[process.arch] ?? '';
  const apt = ['usr/local/bin', 'usr/bin', 'bin', 'usr/sbin', 'sbin', 'usr/games'].map((folder) => of('apt', folder));
  const libraries = [of('apt/usr/lib', triplet), of('apt/lib', triplet), of('apt/usr/lib')];
  return {
    path: [...['pip', 'npm', 'go', 'gem', 'cargo'].map((manager) => of(manager, 'bin')), ...apt],
    variables: {
      LD_LIBRARY_PATH: libraries.join(':'),
      PYTHONPATH: [of('pip'), of('apt/usr/lib/python3/dist-packages')].join(':'),
      NODE_PATH: of('npm/lib/node_modules'),
      GEM_HOME: of('gem'),
      // The empty entry at the end stands for the system's own gems.
      GEM_PATH: `${of('gem')}:`,
      PERL5LIB: of('apt/usr/share/perl5'),
      // For compilers that need a library of apt's, in the build and in the sandbox.
      CPATH: [of('apt/usr/include'), of('apt/usr/include', triplet)].join(':'),
      LIBRARY_PATH: libraries.join(':'),
      PKG_CONFIG_PATH: [of('apt/usr/lib', triplet, 'pkgconfig'), of('apt/usr/share/pkgconfig')].join(':'),
    },
  };
}
