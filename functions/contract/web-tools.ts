/** Settings of `web_fetch` and `web_search`. */
import * as z from 'zod';
import { isWellFormed, MALFORMED } from './content.ts';

const MAX_DOMAINS = 64;
const MAX_REFERENCES = 128;

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const HOSTNAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const SEARCH_PATH = /^[\x21-\x7e]*$/;
const ADDRESS = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/i;
/** Names of hosts in a private network, or of none. */
const RESERVED =
  /(?:^|\.)(?:arpa|corp|example|home|internal|intranet|invalid|lan|local(?:domain|host)?|onion|private|test)$/i;
/** Suffixes under which countries register names. The whole public list is larger than this service. */
const PUBLIC_SUFFIX = /^(?:ac|co|com|edu|gov|go|mil|net|or|org)\.[a-z]{2}$/i;

/** The rule that a hostname breaks, or null. */
function domainFault(domain: string): string | null {
  if (domain.includes('://')) return 'must not have a scheme';
  if (domain.includes('*')) return 'must not have a wildcard: a domain covers its subdomains';
  if (domain.includes(':')) return 'must not have a port, nor be an IP address';
  if (domain.includes('/')) return 'must not have a path';
  if (!HOSTNAME.test(domain)) return 'must be an ASCII hostname like "docs.example.com"';
  if (ADDRESS.test(domain)) return 'must not be an IP address';
  if (RESERVED.test(domain)) return 'must not be a reserved or private name';
  if (!domain.includes('.')) return 'must have more than one label';
  return PUBLIC_SUFFIX.test(domain) ? 'must not be a public suffix' : null;
}

/** The provider compares the path that may follow the hostname in a search's domain. */
function searchDomainFault(domain: string): string | null {
  const slash = domain.includes('://') ? -1 : domain.indexOf('/');
  if (slash === -1) return domainFault(domain);
  return SEARCH_PATH.test(domain.slice(slash)) ? domainFault(domain.slice(0, slash)) : 'must have an ASCII path';
}

const domains = (faultOf: (domain: string) => string | null) =>
  z
    .array(
      z
        .string()
        .min(1)
        .max(255)
        .check((context) => {
          const message = faultOf(context.value);
          if (message !== null) context.issues.push({ code: 'custom', input: context.value, message });
        }),
    )
    .min(1, 'Empty list of domains is ambiguous: leave it out, or name at least one domain')
    .max(MAX_DOMAINS)
    .refine(
      (names) => new Set(names.map((name) => name.toLowerCase())).size === names.length,
      'must name each domain once',
    )
    .nullish();

/** Null stands for unset. */
export function namesOneDomainList(config: {
  readonly allowed_domains?: unknown;
  readonly blocked_domains?: unknown;
}): boolean {
  return (config.allowed_domains ?? null) === null || (config.blocked_domains ?? null) === null;
}
export const ONE_DOMAIN_LIST = 'Only one of allowed_domains or blocked_domains may be set.';

const shorthand = z
  .string()
  .pipe(z.enum(['all', 'none']))
  .transform((type) => ({ type }));
const All = z.object({ type: z.literal('all') });
const None = z.object({ type: z.literal('none') });
const UserInput = z.discriminatedUnion('type', [All, None]);
const UserInputInput = z.union([shorthand, z.discriminatedUnion('type', [All.strict(), None.strict()])]);

const Reference = z.object({ type: z.literal('tool_reference'), name: z.string() });
const ToolFilter = z.discriminatedUnion('type', [
  All,
  None,
  z.object({ type: z.literal('only'), tools: z.array(Reference) }),
  z.object({ type: z.literal('except'), tools: z.array(Reference) }),
]);
export type ToolFilter = z.infer<typeof ToolFilter>;

const References = z
  .array(z.strictObject({ type: z.literal('tool_reference'), name: z.string().min(1).max(128) }))
  .min(1, 'must name at least one tool: "all" and "none" say so without a list')
  .max(MAX_REFERENCES)
  .refine(
    (references) => new Set(references.map((reference) => reference.name)).size === references.length,
    'must name each tool once',
  );
const ToolFilterInput = z.union([
  shorthand,
  z.discriminatedUnion('type', [
    All.strict(),
    None.strict(),
    z.strictObject({ type: z.literal('only'), tools: References }),
    z.strictObject({ type: z.literal('except'), tools: References }),
  ]),
]);

const WEB_TOOL_NAMES: readonly string[] = ['web_fetch', 'web_search'];

const UrlSourcesInput = z
  .strictObject({
    user_input: UserInputInput.nullish(),
    client_tool_results: ToolFilterInput.nullish(),
    server_tool_results: ToolFilterInput.nullish().refine(
      (filter) => referencesOf(filter).every((name) => WEB_TOOL_NAMES.includes(name)),
      'must name no other tools than web_search and web_fetch',
    ),
  })
  .refine(
    (sources) =>
      ![sources.user_input, sources.client_tool_results, sources.server_tool_results].every(
        (source) => source?.type === 'none',
      ),
    'must not all be "none": no URL could be fetched',
  );

const UrlSources = z.object({
  user_input: UserInput.nullable(),
  client_tool_results: ToolFilter.nullable(),
  server_tool_results: ToolFilter.nullable(),
});

export function referencesOf(filter: ToolFilter | null | undefined): readonly string[] {
  return filter?.type === 'only' || filter?.type === 'except' ? filter.tools.map((tool) => tool.name) : [];
}

const Place = z.string().min(1).max(255).refine(isWellFormed, MALFORMED).nullish();
const UserLocationInput = z.strictObject({
  type: z.literal('approximate'),
  city: Place,
  region: Place,
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be a two-letter country code in capitals')
    .nullish(),
  timezone: z.string().refine(isTimeZone, 'must be an IANA timezone like "Europe/Berlin"').nullish(),
});

const UserLocation = z.object({
  type: z.literal('approximate'),
  city: z.string().nullable(),
  region: z.string().nullable(),
  country: z.string().nullable(),
  timezone: z.string().nullable(),
});

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    // A location accepts offsets as time zones, and the provider's search refuses them.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

export const webFetchInput = {
  allowed_domains: domains(domainFault),
  blocked_domains: domains(domainFault),
  max_content_tokens: z.int().min(1).nullish(),
  url_sources: UrlSourcesInput.nullish(),
};

export const webSearchInput = {
  allowed_domains: domains(searchDomainFault),
  blocked_domains: domains(searchDomainFault),
  user_location: UserLocationInput.nullish(),
};

const domainLists = {
  allowed_domains: z.array(z.string()).optional(),
  blocked_domains: z.array(z.string()).optional(),
};

/** A missing setting is unset. */
export const webFetchSettings = {
  ...domainLists,
  max_content_tokens: z.int().nullable().default(null),
  url_sources: UrlSources.nullable().default(null),
};

export const webSearchSettings = { ...domainLists, user_location: UserLocation.nullable().default(null) };
