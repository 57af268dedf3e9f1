/**
 * The one form of a server's URL under which credentials, caches, pins and policies know it.
 *
 * Scheme and host in lower case, default port, trailing slash and fragment dropped; path, query and any other port
 * count. Null for text that is no http or https URL, and for a URL with credentials.
 */
export function canonicalServerUrl(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return null;
  // The parser has lower-cased scheme and host and dropped the default port; a host's trailing dot names the same one.
  const host = url.host.replace(/\.(?=:\d+$|$)/, '');
  return `${url.protocol}//${host}${withoutSlashes(url.pathname)}${url.search}`;
}

/** Without the slashes at its end. */
function withoutSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}

/** For the audit trail and hooks: a query may hold a secret. */
export function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
