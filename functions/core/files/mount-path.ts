/** Where a session's file is in its sandbox, from the path that a client asked for. */
import { UPLOADS_DIR, WORKDIR } from '#contract/hands.ts';

/** Linux allows no more. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 1024;

/** The service's own folder in the working directory, in which no file of a client may be. */
const RESERVED = `${WORKDIR}/.brainstem`;

type MountPath =
  | {
      readonly status: 'mounted';
      /** The one that the resource shows. */
      readonly path: string;
      /** Programs that ask for a path below the working directory read it there: the file is at both. */
      readonly also: string | null;
    }
  | { readonly status: 'refused'; readonly rule: string };

/**
 * Every path is rooted below the folder of uploads, unless it is already there: relative ones, and absolute ones of any other
 * place. `.` segments are left out.
 */
export function mountPath(asked: string): MountPath {
  if (/\p{Cc}/u.test(asked)) return refused('must not contain control characters');
  const isAbsolute = asked.startsWith('/');
  const segments = (isAbsolute ? asked.slice(1) : asked).split('/');
  if (segments.includes('..')) return refused('must not contain ".."');
  if (segments.includes('')) return refused('must name a file, without empty segments');
  const named = segments.filter((segment) => segment !== '.');
  if (named.length === 0 || segments.at(-1) === '.') return refused('must name a file');
  if (named.some((segment) => Buffer.byteLength(segment) > MAX_NAME_BYTES))
    return refused(`must have at most ${MAX_NAME_BYTES} bytes in each segment`);
  const plain = `/${named.join('/')}`;
  if (plain === UPLOADS_DIR || plain === WORKDIR) return refused('must name a file and not the folder itself');
  if (isBelow(plain, RESERVED) || plain === RESERVED) return refused(`must not be in ${RESERVED}`);
  const path = isAbsolute && isBelow(plain, UPLOADS_DIR) ? plain : `${UPLOADS_DIR}${plain}`;
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    return refused(`must have at most ${MAX_PATH_BYTES} bytes, as ${UPLOADS_DIR}/…`);
  return { status: 'mounted', path, also: isAbsolute && isBelow(plain, WORKDIR) ? plain : null };
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

function refused(rule: string): MountPath {
  return { status: 'refused', rule };
}
