import { describe, expect, it } from 'vitest';
import { ToolContent } from '#contract/content.ts';
import { contentOf } from '#core/mcp/content.ts';
import { PDF, PNG } from '#test/mcp/fx-tools.ts';

const resource = { type: 'resource', uri: 'file:///a', mimeType: null, text: null, blob: null } as const;
const texts = (content: ToolContent) => content.map((block) => (block.type === 'text' ? block.text : block.type));

describe('the content of an MCP result', () => {
  it('holds texts, images and PDFs as blocks of their kind', () => {
    const content = contentOf([
      { type: 'text', text: 'hello' },
      { type: 'image', data: PNG, mimeType: 'image/png' },
      { ...resource, mimeType: 'application/pdf', blob: PDF },
      { ...resource, uri: 'file:///notes.txt', text: 'notes' },
    ]);
    expect(content).toEqual([
      { type: 'text', text: 'hello' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
      { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PDF } },
      { type: 'text', text: 'the resource file:///notes.txt:\n\nnotes' },
    ]);
    expect(ToolContent.parse(content)).toEqual(content);
  });

  it('names the type and size of what cannot be shown', () => {
    const data = Buffer.from('RIFF....WAVE').toString('base64');
    expect(
      texts(
        contentOf([
          { type: 'audio', data, mimeType: 'audio/wav' },
          { ...resource, mimeType: 'application/zip', blob: data },
          { type: 'resource_link', uri: 'https://a.example/b', name: 'b' },
          resource,
        ]),
      ),
    ).toEqual([
      '[audio (audio/wav, 12 bytes) cannot be shown; text, PDF, JPEG, PNG, GIF and WebP can]',
      '[the resource file:///a (application/zip, 12 bytes) cannot be shown; text, PDF, JPEG, PNG, GIF and WebP can]',
      '[a link to the resource "b": https://a.example/b]',
      '[the resource file:///a (unknown type, 0 bytes) cannot be shown; text, PDF, JPEG, PNG, GIF and WebP can]',
    ]);
  });

  it('has the media type that the bytes of an image show, not the declared one', () => {
    expect(contentOf([{ type: 'image', data: PNG, mimeType: 'image/svg+xml' }])).toMatchObject([
      { source: { media_type: 'image/png' } },
    ]);
    const script = Buffer.from('<svg onload="…"/>').toString('base64');
    expect(texts(contentOf([{ type: 'image', data: script, mimeType: 'image/png' }]))[0]).toContain('cannot be shown');
  });

  it('is cut where the text reaches a million characters, and not within a character', () => {
    const [first, second] = texts(
      contentOf([
        { type: 'text', text: 'x'.repeat(999_999) },
        { type: 'text', text: '😀 and more' },
      ]),
    );
    expect(first).toHaveLength(999_999);
    expect(second).toBe('\n\n(cut: 0 of 11 characters are shown)');
  });

  it('holds no more media than one event may have', () => {
    const image = Buffer.concat([Buffer.from(PNG, 'base64'), Buffer.alloc(2_000_000)]).toString('base64');
    const block = { type: 'image', data: image, mimeType: 'image/png' } as const;
    expect(texts(contentOf([block, block]))).toEqual([
      'image',
      '[one more image or document: too many for one result]',
    ]);
    const huge = Buffer.concat([Buffer.from(PNG, 'base64'), Buffer.alloc(3_600_000)]).toString('base64');
    expect(texts(contentOf([{ ...block, data: huge }]))[0]).toMatch(
      /^\[image \(image\/png, \d+ bytes\) cannot be shown/,
    );
  });

  it('is empty for an empty result, and well-formed for broken characters', () => {
    expect(contentOf([])).toEqual([]);
    expect(contentOf([{ type: 'text', text: '' }])).toEqual([]);
    expect(contentOf([{ type: 'text', text: 'a\ud800' }])).toEqual([{ type: 'text', text: 'a\ufffd' }]);
  });
});
