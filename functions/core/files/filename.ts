/** Names and MIME types of uploaded files, as their clients give them. */
import { MAX_FILENAME_CHARS, isFilename } from '#contract/files.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** Finds the MIME type of a name, and the extension of a type. */
interface MimeTypes {
  readonly typeOf: (filename: string) => string | undefined;
  readonly extensionOf: (type: string) => string | undefined;
}

interface Given {
  /** May be a path; its last part counts. */
  readonly name: string;
  /** As the client says, which may be nothing. */
  readonly type: string;
}

/** What clients send when they do not know the type. */
const UNKNOWN = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'text/plain']);

export function nameAndType(
  given: Given,
  mimeTypes: MimeTypes,
): { filename: string; mime_type: string } | RequestRefusal {
  const last = given.name.split(/[\\/]/).at(-1) ?? '';
  const mime_type = mimeTypeOf({ name: last, type: given.type }, mimeTypes);
  const filename = last === '' ? `unnamed.${mimeTypes.extensionOf(mime_type) ?? 'bin'}` : last;
  if (isFilename(filename)) return { filename, mime_type };
  const rule = `must have 1 to ${MAX_FILENAME_CHARS} characters, and none of < > : " | ? * \\ / or control characters`;
  return refuse('invalid_request_error', `filename: ${rule}`);
}

function mimeTypeOf({ name, type }: Given, { typeOf }: MimeTypes): string {
  const told = bare(type);
  if (told !== '' && !UNKNOWN.has(told)) return told;
  const guessed = bare(typeOf(name) ?? '');
  return guessed === '' ? told || 'application/octet-stream' : guessed;
}

/** Without parameters; '' for what is no MIME type. */
function bare(type: string): string {
  const [essence = ''] = type.toLowerCase().split(';');
  return /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(essence.trim()) ? essence.trim() : '';
}
