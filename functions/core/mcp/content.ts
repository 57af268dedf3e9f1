/** Turns the answer of an MCP server into what the model is shown. */
import type { ToolContent } from '#contract/content.ts';
import { showMedia } from '#core/hands/web-content.ts';
import type { McpBlock } from '#core/ports/mcp-client.ts';

type Shown = ToolContent[number];

/** The limit for all texts of one result together. */
const MAX_TEXT_CHARS = 1_000_000;
/** The limit for all images and documents of one result together: an event also has to hold the texts and the JSON. */
const MAX_MEDIA_CHARS = 4_700_000;
/** The limit for one name, URI or type of a block, which the server chooses. */
const MAX_LABEL_CHARS = 500;

interface Room {
  readonly textChars: number;
  readonly mediaChars: number;
}

/** Keeps within the limits of one event. A note tells the model of each block that cannot be shown. */
export function contentOf(blocks: readonly McpBlock[]): ToolContent {
  let room: Room = { textChars: MAX_TEXT_CHARS, mediaChars: MAX_MEDIA_CHARS };
  const content: Shown[] = [];
  for (const block of blocks) {
    const shown = fitted(show(block), room);
    if (shown === null) continue;
    content.push(shown);
    room = after(shown, room);
  }
  return content;
}

function show(block: McpBlock): Shown {
  switch (block.type) {
    case 'text':
      return text(block.text);
    case 'image':
    case 'audio':
      return media(block.data, { what: block.type, mimeType: block.mimeType });
    case 'resource_link':
      return note(`a link to the resource "${label(block.name)}": ${label(block.uri)}`);
    case 'resource': {
      const what = `the resource ${label(block.uri)}`;
      if (block.text !== null) return text(`${what}:\n\n${block.text}`);
      return media(block.blob ?? '', { what, mimeType: block.mimeType ?? 'unknown type' });
    }
    default:
      return block satisfies never;
  }
}

/** Takes the type from the bytes, not from the server: the provider refuses media with a wrong type. */
function media(data: string, { what, mimeType }: { readonly what: string; readonly mimeType: string }): Shown {
  const bytes = Buffer.from(data, 'base64');
  const shown = showMedia(bytes);
  const told = `${what} (${label(mimeType)}, ${bytes.length} bytes)`;
  if (shown === null) return note(`${told} cannot be shown; text, PDF, JPEG, PNG, GIF and WebP can`);
  if (shown.status === 'failed') return note(`${told} cannot be shown: ${shown.message}`);
  return shown.content[0] ?? note(`${told} cannot be shown`);
}

/** Null for an empty text, which the provider refuses. */
function fitted(shown: Shown, room: Room): Shown | null {
  if (shown.type !== 'text') {
    return charsOf(shown) <= room.mediaChars
      ? shown
      : fitted(note('one more image or document: too many for one result'), room);
  }
  if (shown.text === '') return null;
  if (shown.text.length <= room.textChars) return shown;
  // The provider refuses half of a surrogate pair.
  const kept = shown.text.slice(0, room.textChars).replace(/[\ud800-\udbff]$/, '');
  return text(`${kept}\n\n(cut: ${kept.length} of ${shown.text.length} characters are shown)`);
}

function after(shown: Shown, room: Room): Room {
  if (shown.type !== 'text') return { ...room, mediaChars: room.mediaChars - charsOf(shown) };
  return { ...room, textChars: Math.max(0, room.textChars - shown.text.length) };
}

function charsOf(shown: Shown): number {
  const isMedia = shown.type === 'image' || shown.type === 'document';
  return isMedia && 'data' in shown.source ? shown.source.data.length : 0;
}

function text(said: string): Shown {
  return { type: 'text', text: said.toWellFormed() };
}

function note(said: string): Shown {
  return text(`[${said}]`);
}

function label(said: string): string {
  return said.length <= MAX_LABEL_CHARS ? said : `${said.slice(0, MAX_LABEL_CHARS)}…`;
}
