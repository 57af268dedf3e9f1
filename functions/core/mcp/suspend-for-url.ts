/** A server wants a person to open a URL before it goes on (governance P4): the URL is for people alone. */
import type { UrlRequest } from '#core/ports/mcp-client.ts';

const MAX_URL_CHARS = 4000;
const MAX_MESSAGE_CHARS = 500;

/** Those that a person may be sent to: with another scheme, a URL is a program. */
export function openable(requests: readonly UrlRequest[]): readonly UrlRequest[] {
  return requests.filter(({ url }) => url.length <= MAX_URL_CHARS && /^https?:$/.test(URL.parse(url)?.protocol ?? ''));
}

/** The URLs whole and their hosts, because a person decides by them; nobody here has opened one. */
export function askToOpen(server: string, requests: readonly UrlRequest[]): string {
  const asked = requests.map(({ url, message }) => {
    const said = message.slice(0, MAX_MESSAGE_CHARS).trim();
    return `${URL.parse(url)?.host ?? ''}: ${url}${said === '' ? '' : ` ("${said}")`}`;
  });
  const then = 'Open it only if you trust it; when that is done, confirm the call.';
  return `The MCP server "${server}" asks a person to open a page at ${asked.join(' and at ')}. ${then}`;
}
