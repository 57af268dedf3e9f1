/**
 * What a server wants of people before it goes on. A URL is for a person to open, and the call stops until they have. This
 * client offers no forms, and declines a form that a server sends.
 */
import type { ClientCapabilities } from '@modelcontextprotocol/client';
import * as z from 'zod';
import type { McpCall, UrlRequest } from '#core/ports/mcp-client.ts';
import { BadAnswerError } from '#aws/mcp/mcp-traffic.ts';

/** The answer to a form: `defaults` accepts it with the defaults of its fields, and tells servers so. */
export type Forms = 'decline' | 'defaults';

interface ElicitationAnswer {
  readonly action: 'accept' | 'decline' | 'cancel';
  readonly content?: Record<string, string | number | boolean | string[]>;
}

/** The part of a call with which it goes on from an earlier `input_required`. */
export interface Resumption {
  readonly inputResponses?: Readonly<Record<string, ElicitationAnswer>>;
  readonly requestState?: string;
}

interface Wanted {
  readonly urls: readonly UrlRequest[];
  /** The answers to all other requests. */
  readonly answers: Readonly<Record<string, ElicitationAnswer>>;
}

const UrlParams = z.object({ mode: z.literal('url'), url: z.string(), message: z.string() });
const Value = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);
const FormParams = z.object({
  requestedSchema: z.object({ properties: z.record(z.string(), z.object({ default: Value.optional() })) }),
});
const Elicitation = z.object({ method: z.literal('elicitation/create'), params: z.unknown() });
/** Error −32042 of the older era. */
const Elicitations = z.object({ elicitations: z.array(z.unknown()) });
const WithId = z.object({ elicitationId: z.string() });

const MAX_URL_CHARS = 8192;

export function capabilitiesFor(forms: Forms): ClientCapabilities {
  return { elicitation: forms === 'defaults' ? { url: {}, form: {} } : { url: {} } };
}

/** Reads the newer era's `input_required`. Throws `BadAnswerError` for a request that this client does not offer. */
export function wantedOf(requests: Readonly<Record<string, unknown>>, forms: Forms): Wanted {
  const urls: UrlRequest[] = [];
  // The server chooses the names.
  const answers: Record<string, ElicitationAnswer> = Object.create(null);
  for (const [id, request] of Object.entries(requests)) {
    const elicitation = Elicitation.safeParse(request);
    if (!elicitation.success) throw new BadAnswerError('it asks for what this client does not offer');
    const url = urlRequest(id, elicitation.data.params);
    if (url === null) answers[id] = answerTo(elicitation.data.params, forms);
    else urls.push(url);
  }
  return { urls, answers };
}

/** Reads the data of an error −32042. */
export function elicitationsOf(data: unknown): readonly UrlRequest[] {
  const { elicitations } = Elicitations.safeParse(data).data ?? { elicitations: [] };
  return elicitations.flatMap((params) => {
    const id = WithId.safeParse(params).data?.elicitationId;
    return id === undefined ? [] : (urlRequest(id, params) ?? []);
  });
}

/** Null when a person cannot open the URL: `javascript:` and the like go no further. */
export function urlRequest(id: string, params: unknown): UrlRequest | null {
  const asked = UrlParams.safeParse(params).data;
  if (asked === undefined || asked.url.length > MAX_URL_CHARS) return null;
  const url = URL.parse(asked.url);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return null;
  return { id, url: asked.url, message: asked.message };
}

export function answerTo(params: unknown, forms: Forms): ElicitationAnswer {
  const form = FormParams.safeParse(params).data;
  if (form === undefined || forms === 'decline') return { action: 'decline' };
  const fields = Object.entries(form.requestedSchema.properties);
  const content = fields.flatMap(([name, field]) => (field.default === undefined ? [] : [[name, field.default]]));
  return { action: 'accept', content: Object.fromEntries(content) };
}

/** Says that people have done what an earlier answer asked for. */
export function resumptionOf(resume: McpCall['resume']): Resumption {
  if (resume === null) return {};
  const accepted = resume.requests.map((id) => [id, { action: 'accept' } as const]);
  return {
    inputResponses: Object.fromEntries(accepted),
    ...(resume.state === null ? {} : { requestState: resume.state }),
  };
}
