/** Calls that the model's provider made inside its answer, with their results. */
import { MAX_BODY_BYTES, ToolContent } from '#contract/content.ts';
import type { ContentBlock } from '#core/ports/model.ts';

export interface ServerCall {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly content: ToolContent;
  readonly isError: boolean;
}

/** The calls with a result in the answer; `earlier` are the blocks of the answer before, which may hold the call. */
export function serverCalls(blocks: readonly ContentBlock[], earlier: readonly ContentBlock[]): readonly ServerCall[] {
  const uses = [...earlier, ...blocks].filter((block) => block.type === 'server_tool_use');
  return blocks.flatMap((block) => {
    const use = uses.find((candidate) => candidate['id'] === block['tool_use_id']);
    const shown = use === undefined ? null : shownResult(block);
    return use === undefined || shown === null
      ? []
      : [{ name: String(use['name']), input: recordOf(use['input']), ...readable(shown) }];
  });
}

type Shown = Pick<ServerCall, 'content' | 'isError'>;

/** The provider's results have no limit, and an event that cannot be read again would end the session for good. */
function readable(shown: Shown): Shown {
  // A listing carries it in a body that is a string of another JSON document.
  const carried = Buffer.byteLength(JSON.stringify(JSON.stringify(shown.content)));
  return carried <= MAX_BODY_BYTES && ToolContent.safeParse(shown.content).success
    ? shown
    : { ...shown, content: UNSHOWN };
}

const UNSHOWN: ToolContent = [{ type: 'text', text: 'The model has read it; it cannot be shown here.' }];

function shownResult(block: ContentBlock): Shown | null {
  switch (block.type) {
    case 'web_search_tool_result':
      return shownSearch(block['content']);
    case 'web_fetch_tool_result':
      return shownFetch(recordOf(block['content']));
    default:
      return null;
  }
}

/** The pages' texts are for the model alone: the provider encrypts them. */
function shownSearch(content: unknown): Shown {
  if (!Array.isArray(content)) return failed(recordOf(content));
  const results = content.map(recordOf).map((result) => ({
    type: 'search_result' as const,
    source: textOf(result['url']),
    title: textOf(result['title']),
    content: [],
    citations: { enabled: false },
  }));
  return { content: results, isError: false };
}

function shownFetch(content: Readonly<Record<string, unknown>>): Shown {
  if (content['type'] !== 'web_fetch_result') return failed(content);
  const document = recordOf(content['content']);
  const source = recordOf(document['source']);
  const title = typeof document['title'] === 'string' ? document['title'].slice(0, 500) : null;
  const data = textOf(source['data']);
  if (source['type'] === 'base64' && source['media_type'] === 'application/pdf') {
    const pdf = { type: 'base64' as const, media_type: 'application/pdf' as const, data };
    return { content: [{ type: 'document', source: pdf, title }], isError: false };
  }
  const text = { type: 'text' as const, media_type: 'text/plain' as const, data };
  const isBlank = data.trim() === '';
  return { content: isBlank ? [] : [{ type: 'document', source: text, title }], isError: false };
}

function failed(content: Readonly<Record<string, unknown>>): Shown {
  const code = textOf(content['error_code']);
  return { content: [{ type: 'text', text: code === '' ? 'unavailable' : code }], isError: true };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.toWellFormed() : '';
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  // Narrowed by the check; TypeScript keeps `object`.
  return isRecord ? (value as Record<string, unknown>) : {};
}
