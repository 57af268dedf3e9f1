import { describe, expect, it } from 'vitest';
import { mediaTypeOf, sizeOf } from '#core/model/media.ts';

const hex = (...parts: readonly string[]) => Buffer.from(parts.join(''), 'hex');
const riff = (chunk: string, rest: string) =>
  Buffer.concat([Buffer.from('RIFF'), Buffer.alloc(4), Buffer.from(`WEBP${chunk}`), hex(rest)]);

const PNG = hex('89504e470d0a1a0a', '0000000d49484452', '00000280', '000001e0', '0802000000');
const JPEG = hex('ffd8', 'ffe0000400ff', 'ffffffc0001108', '01e00280', '03');

describe('an image', () => {
  it.each([
    ['image/png', PNG],
    ['image/gif', Buffer.concat([Buffer.from('GIF89a'), hex('8002e001')])],
    ['image/jpeg', JPEG],
    ['image/webp', riff('VP8X', '0a000000000000007f0200df0100')],
    ['image/webp', riff('VP8 ', '000000000000009d012a8002e001')],
    ['image/webp', riff('VP8L', '000000002f7fc27700')],
  ] as const)('of type %s has the size that its header states', (type, bytes) => {
    expect(mediaTypeOf(bytes)).toBe(type);
    expect(sizeOf(bytes, type)).toEqual({ width: 640, height: 480 });
  });

  it.each([
    ['image/png', PNG.subarray(0, 20)],
    ['image/jpeg', JPEG.subarray(0, 12)],
    ['image/jpeg', hex('ffd8', '0000')],
    ['image/webp', riff('XXXX', '')],
  ] as const)('of type %s that is cut short or malformed has no size', (type, bytes) => {
    expect(sizeOf(bytes, type)).toBeNull();
  });

  it('has no size when only its media type says that it is an image', () => {
    expect(mediaTypeOf(Buffer.from('<html>'))).toBeNull();
    expect(mediaTypeOf(Buffer.from(''))).toBeNull();
    expect(mediaTypeOf(Buffer.from('%PDF-1.4'))).toBe('application/pdf');
  });
});
