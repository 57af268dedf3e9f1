/** The page on which a user says yes or no: who wants what, where, and where it leads (docs/security.md#consent). */
import { html } from 'hono/html';
import type { Connection } from '#core/ports/connection-records.ts';
import type { ConsentForm } from '#core/connect/open-link.ts';
import type { ConnectionPlan } from '#core/connect/approve.ts';
import type { Markup, Page } from './page.ts';

interface ConsentPage {
  readonly record: Connection;
  readonly plan: ConnectionPlan;
  readonly form: ConsentForm;
  readonly again: boolean;
  readonly linkUrl: string;
}

export function consentPage({ record, plan, form, again, linkUrl }: ConsentPage): Page {
  const server = hostOf(record.server.url);
  const { who, agentRow } = whoAsks(record);
  return {
    status: again ? 409 : 200,
    title: `Let ${who} use ${server} for you?`,
    body: html`${again ? lookAgain : ''}
      <p>If you approve, ${who} can act at ${server} in your name, until you or an administrator disconnect it.</p>
      <dl>
        ${agentRow} ${row('Server', server)} ${row('Access', scopeList(plan.scopes))}
        ${row('You continue at', hostOf(plan.discovered.authorizationEndpoint))}
        ${row('You come back to', backTo(record, linkUrl))}
      </dl>
      ${consentForm(linkUrl, form, 'Approve and continue')}
      <p class="small">Signed in as ${record.user}. Nothing is shared before you approve.</p>`,
  };
}

export function consentForm(linkUrl: string, { token, plan }: ConsentForm, approve: string): Markup {
  return html`<form method="post" action="${linkUrl}/approve">
    <input type="hidden" name="token" value="${token}" />
    <input type="hidden" name="plan" value="${plan}" />
    <div class="actions">
      <button class="act" type="submit">${approve}</button>
      <button type="submit" formaction="${linkUrl}/cancel">Cancel</button>
    </div>
  </form>`;
}

export const lookAgain = html`<p class="note" role="status">
  What this would do has changed, or this page was open for too long. Please look at it again.
</p>`;

export function row(name: string, value: string | Markup): Markup {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

export function whoAsks({ agent }: Connection): { readonly who: string; readonly agentRow: Markup | string } {
  if (agent === null) return { who: 'An agent', agentRow: '' };
  return { who: agent.name, agentRow: row('Agent', `${agent.name}, version ${agent.version}`) };
}

function scopeList(scopes: readonly string[]): string | Markup {
  if (scopes.length === 0) return 'What the server gives by default; you will see it there';
  return html`<ul>
    ${scopes.map((scope) => html`<li>${scope}</li>`)}
  </ul>`;
}

export function backTo({ returnUrl }: Connection, linkUrl: string): string {
  const here = hostOf(linkUrl);
  return returnUrl === null ? here : `${here}, and then ${destinationName(returnUrl)}`;
}

export function hostOf(url: string): string {
  return URL.parse(url)?.host ?? url;
}

/** An app's own scheme has no host. */
export function destinationName(url: string): string {
  const { host = '', protocol = '' } = URL.parse(url) ?? {};
  return host === '' ? `the app behind ${protocol}` : host;
}
