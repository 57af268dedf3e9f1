/** The page on which a user agrees to sign in for agents, where it is their organisation that decides about servers. */
import { html } from 'hono/html';
import type { Connection } from '#core/ports/connection-records.ts';
import type { ConsentForm } from '#core/connect/open-link.ts';
import { backTo, consentForm, hostOf, lookAgain, row, whoAsks } from './consent-page.ts';
import type { Page } from './page.ts';

interface IdentityPage {
  readonly record: Connection;
  readonly form: Pick<ConsentForm, 'token'>;
  readonly again: boolean;
  readonly linkUrl: string;
}

export function identityPage({ record, form, again, linkUrl }: IdentityPage): Page {
  const provider = hostOf(record.server.url);
  const { who, agentRow } = whoAsks(record);
  return {
    status: again ? 409 : 200,
    title: `Sign in for ${who}?`,
    body: html`${again ? lookAgain : ''}
      <p>
        Your organisation decides which servers ${who} can use in your name. If you approve, it is asked about you
        whenever that is needed, until you or an administrator disconnect it.
      </p>
      <dl>${agentRow} ${row('You sign in at', provider)} ${row('You come back to', backTo(record, linkUrl))}</dl>
      ${consentForm(linkUrl, { ...form, plan: '' }, 'Approve and sign in')}
      <p class="small">Signed in as ${record.user}. Nothing is kept before you approve.</p>`,
  };
}
