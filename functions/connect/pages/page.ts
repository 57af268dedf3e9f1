/** The frame of every page, and its headers: the browser loads nothing else, frames, caches and refers nothing. */
import { html, raw } from 'hono/html';
import { STYLE, STYLE_HASH } from './style.ts';

export type Markup = ReturnType<typeof html>;

export interface Page {
  readonly status: number;
  readonly title: string;
  readonly body: Markup;
  /** The URL to which the browser goes by itself. */
  readonly leadsTo?: string;
}

/**
 * Forms may only be sent to this service. A page, not a redirect, leads to the authorization server, because browsers
 * apply `form-action` to every redirect that follows a form: they would stop the server's own redirects to other hosts,
 * and this service's redirect to where the user came from.
 */
const POLICY = [
  "default-src 'none'",
  `style-src '${STYLE_HASH}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

export const PRIVATE_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const PAGE_HEADERS: Readonly<Record<string, string>> = {
  ...PRIVATE_HEADERS,
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': POLICY,
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'strict-transport-security': 'max-age=31536000',
};

/** Its hash is of every character, so it must not be indented. */
const STYLE_ELEMENT = raw(`<style>${STYLE}</style>`);

export async function respondPage(appName: string, { status, title, body, leadsTo }: Page): Promise<Response> {
  const refresh = leadsTo === undefined ? '' : html`<meta http-equiv="refresh" content="0; url=${leadsTo}" />`;
  const text = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        ${refresh}
        <title>${title} · ${appName}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <main>
          <p class="app">${appName}</p>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html>`;
  return new Response(text.toString(), { status, headers: PAGE_HEADERS });
}

export function hostOf(url: string): string {
  return URL.parse(url)?.host ?? url;
}

/** An app's own scheme has no host. */
export function destinationName(url: string): string {
  const { host = '', protocol = '' } = URL.parse(url) ?? {};
  return host === '' ? `the app behind ${protocol}` : host;
}
