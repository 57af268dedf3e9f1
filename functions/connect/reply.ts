/** What a route answers. */
import { respondPage, PRIVATE_HEADERS, type Page } from './pages/page.ts';

export type Reply = { readonly page: Page } | { readonly redirect: string } | { readonly document: unknown };

export async function respondWith(reply: Reply, appName: string): Promise<Response> {
  if ('page' in reply) return respondPage(appName, reply.page);
  if ('redirect' in reply) {
    return new Response(null, { status: 303, headers: { ...PRIVATE_HEADERS, location: reply.redirect } });
  }
  // What the service says of itself: authorization servers may keep it for a while.
  return Response.json(reply.document, { headers: { 'cache-control': 'public, max-age=300' } });
}
