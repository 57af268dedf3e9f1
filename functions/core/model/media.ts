/**
 * What bytes are, by their own first words. What a server claims is not enough: a document or an image that the model
 * provider refuses would be refused again in every later request of its session.
 */

export type MediaType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp' | 'application/pdf';

interface Size {
  readonly width: number;
  readonly height: number;
}

const MAGIC: readonly (readonly [MediaType, RegExp])[] = [
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/png', /^\x89PNG\r\n/],
  ['image/gif', /^GIF8[79]a/],
  ['image/webp', /^RIFF[^]{4}WEBP/],
  ['application/pdf', /^%PDF-\d/],
];

export function mediaTypeOf(bytes: Uint8Array): MediaType | null {
  const head = latin1(bytes.subarray(0, 16));
  return MAGIC.find(([, magic]) => magic.test(head))?.[0] ?? null;
}

/** Width and height of an image in pixels; null when the bytes end before them. */
export function sizeOf(bytes: Uint8Array, type: Exclude<MediaType, 'application/pdf'>): Size | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return measure(view, bytes, type);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function measure(view: DataView, bytes: Uint8Array, type: Exclude<MediaType, 'application/pdf'>): Size | null {
  switch (type) {
    case 'image/png':
      return { width: view.getUint32(16), height: view.getUint32(20) };
    case 'image/gif':
      return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    case 'image/webp':
      return measureWebp(view, latin1(bytes.subarray(12, 16)));
    case 'image/jpeg':
      return measureJpeg(view);
    default:
      return type satisfies never;
  }
}

function measureWebp(view: DataView, chunk: string): Size | null {
  const u24 = (at: number) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
  switch (chunk) {
    case 'VP8X':
      return { width: u24(24) + 1, height: u24(27) + 1 };
    case 'VP8L': {
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8 ':
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    default:
      return null;
  }
}

/** Walks the segments to the first start of frame; reading past the end is a `RangeError`. */
function measureJpeg(view: DataView): Size | null {
  for (let at = 2; ;) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    // Markers may be padded with any number of these.
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
}

/** A character for each byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** `/Encrypt 5 0 R` or `/Encrypt << … >>` of a trailer, which is never compressed. */
const ENCRYPTED = /\/Encrypt\s{0,4}(?:\d{1,10}\s{1,4}\d{1,5}\s{1,4}R|<<)/;

/** Whether a PDF needs a password: the provider takes none of these. */
export function isEncrypted(pdf: Uint8Array): boolean {
  return ENCRYPTED.test(latin1(pdf));
}
