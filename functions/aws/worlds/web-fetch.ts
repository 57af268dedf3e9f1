/** The world of the function that fetches web pages for sessions. */
import { AllowedHosts } from '#contract/outbound.ts';
import type { WebFetchWorld } from '#core/hands/web-fetch.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createOutbound } from '#aws/outbound/outbound.https.ts';
import { readPage } from '#aws/outbound/read-page.htmlparser2.ts';
import { jsonSetting, type Env } from '#aws/settings.ts';
import { createStamp } from '#aws/stamp.ts';
import { logOf } from '#aws/worlds/sessions.ts';

export function webFetchWorld(env: Env): WebFetchWorld & { readonly journal: FunctionJournal } {
  return {
    log: logOf(env),
    outbound: createOutbound({
      allow: jsonSetting(env, 'WEB_FETCH_ALLOW', AllowedHosts),
      resolve: resolveBySystem,
    }),
    readPage,
    stamp: createStamp(),
    journal: createJournal(),
  };
}
