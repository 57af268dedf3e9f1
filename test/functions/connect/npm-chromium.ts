/** The Chromium of an npm package with the libraries that it needs. No browser of the machine is used. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import Packed, { inflate } from '@sparticuz/chromium';

const PACKAGE = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..');
const FOLDER = join(PACKAGE, '../../.cache/chromium');

/** The package's own setting names a folder for fonts that exists on Lambda only; without fonts Chromium crashes. */
const FONTS = join(FOLDER, 'fonts.conf');

/** Unpacks Chromium if that has not been done (about 3 s). */
export async function npmChromium(): Promise<{ readonly executablePath: string; readonly env: NodeJS.ProcessEnv }> {
  mkdirSync(FOLDER, { recursive: true });
  // The package unpacks into the folder for temporary files, which other users of the machine may share.
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = FOLDER;
  try {
    const libraries = await inflate(join(PACKAGE, 'bin/al2023.tar.br'));
    const executablePath = await Packed.executablePath();
    writeFileSync(
      FONTS,
      `<fontconfig><dir>${FOLDER}/fonts</dir><cachedir>${FOLDER}/fonts-cache</cachedir></fontconfig>`,
    );
    const env = { ...process.env, LD_LIBRARY_PATH: join(libraries, 'lib'), FONTCONFIG_FILE: FONTS, TMPDIR: before };
    return { executablePath, env };
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}
