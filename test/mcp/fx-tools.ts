/** The tools of the tests' MCP server. Each answers so that a test can see what reached it. */
import {
  inputRequired,
  UrlElicitationRequiredError,
  type CallToolResult,
  type InputRequiredResult,
  type Tool,
} from '@modelcontextprotocol/server';

export interface FxCall {
  readonly args: Readonly<Record<string, unknown>>;
  readonly era: 'legacy' | 'modern';
  /** The headers of the request, with names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The state of an earlier `input_required`, when this call follows it. */
  readonly resumed: { readonly state: string | undefined; readonly responses: readonly string[] };
  /** Whether the URL of `url_elicitation` has been opened. */
  readonly opened: boolean;
  readonly signal: AbortSignal;
}

export interface FxTool extends Pick<Tool, 'name' | 'description' | 'inputSchema' | 'annotations' | 'outputSchema'> {
  /** Without this scope in its token, a call is answered 403 `insufficient_scope`. */
  readonly scope?: string;
  run(call: FxCall): Promise<CallToolResult | InputRequiredResult> | CallToolResult | InputRequiredResult;
}

const text = (said: string): CallToolResult => ({ content: [{ type: 'text', text: said }] });
const schema = (properties: Record<string, object>, required: readonly string[] = []): Tool['inputSchema'] => ({
  type: 'object',
  properties: properties as Record<string, { type: string }>,
  required: [...required],
});
const number = { type: 'number' };

/** One pixel. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const PDF = Buffer.from('%PDF-1.4\n%%EOF\n').toString('base64');
/** The URL of `url_elicitation`, and the state that it expects back unchanged. */
export const ELICITATION = {
  url: 'https://pay.example.com/confirm?order=7&secret=s3cr3t',
  message: 'Confirm the payment',
  state: 'st4te/+= "ü"\u2028',
} as const;

export const FX_TOOLS: readonly FxTool[] = [
  {
    name: 'sum',
    description: 'Adds two numbers',
    inputSchema: schema({ a: number, b: number }, ['a', 'b']),
    annotations: { readOnlyHint: true, idempotentHint: true },
    run: ({ args }) => text(String(Number(args['a']) + Number(args['b']))),
  },
  {
    name: 'echo_headers',
    description: 'Tells the headers of the request that called it',
    inputSchema: schema({}),
    run: ({ headers }) => text(JSON.stringify(headers)),
  },
  {
    name: 'slow',
    description: 'Answers after a while',
    inputSchema: schema({ ms: number }),
    run: ({ args, signal }) => after(Number(args['ms'] ?? 60_000), signal),
  },
  {
    name: 'big',
    description: 'Answers so many characters',
    inputSchema: schema({ chars: number }),
    run: ({ args }) => text('x'.repeat(Number(args['chars'] ?? 200_000))),
  },
  {
    name: 'image',
    description: 'Answers an image',
    inputSchema: schema({}),
    run: () => ({ content: [{ type: 'image', data: PNG, mimeType: 'image/png' }] }),
  },
  {
    name: 'resource',
    description: 'Answers resources: a text, a PDF and a link',
    inputSchema: schema({}),
    run: () => ({
      content: [
        { type: 'resource', resource: { uri: 'file:///notes.txt', mimeType: 'text/plain', text: 'notes' } },
        { type: 'resource', resource: { uri: 'file:///paper.pdf', mimeType: 'application/pdf', blob: PDF } },
        { type: 'resource_link', uri: 'https://files.example.com/report.csv', name: 'report.csv' },
      ],
    }),
  },
  {
    name: 'fail',
    description: 'Fails',
    inputSchema: schema({}),
    run: () => ({ ...text('the disk is full'), isError: true }),
  },
  {
    name: 'url_elicitation',
    description: 'Wants a person to open a URL first',
    inputSchema: schema({}),
    run: askForUrl,
  },
  {
    name: 'refund',
    description: 'Refunds an amount',
    inputSchema: schema({ amount: number }, ['amount']),
    annotations: { destructiveHint: true, readOnlyHint: false },
    run: ({ args }) => text(`refunded ${String(args['amount'])}`),
  },
  {
    name: 'files_write',
    description: 'Writes a file',
    inputSchema: schema({ path: { type: 'string' } }),
    scope: 'files:write',
    run: ({ args }) => text(`wrote ${String(args['path'])}`),
  },
];

/** The older revision has no state: there the URL is an error, and the client makes the call again. */
function askForUrl({ era, opened, resumed }: FxCall): CallToolResult | InputRequiredResult {
  const { url, message, state } = ELICITATION;
  if (era === 'legacy') {
    if (opened) return text('paid');
    throw new UrlElicitationRequiredError([{ mode: 'url', elicitationId: 'pay', url, message }]);
  }
  if (resumed.responses.includes('pay')) return text(resumed.state === state ? 'paid' : 'another state came back');
  return inputRequired({ inputRequests: { pay: inputRequired.elicitUrl({ url, message }) }, requestState: state });
}

async function after(ms: number, signal: AbortSignal): Promise<CallToolResult> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => resolve());
  await promise;
  clearTimeout(timer);
  return text('at last');
}
