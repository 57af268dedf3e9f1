import { createBrowser, type Browser } from './browser.ts';

/** A browser with pages from a running service, as its gateway serves them. */
export function browserOf(service: { readonly baseUrl: string }): Browser {
  return createBrowser({
    baseUrl: `${service.baseUrl}/connect`,
    fetch: ({ url, method, headers, body }) => {
      const { pathname, search } = new URL(url);
      const init = { method, headers, redirect: 'manual' as const };
      const target = `${service.baseUrl}${pathname}${search}`;
      return fetch(target, body === null ? init : { ...init, body, duplex: 'half' as const });
    },
  });
}
