/** The pages on which a user says yes or no: they name the agent, the server and where a yes leads (docs/security.md#consent). */
import { html } from 'hono/html';
import type { Connection } from '#core/ports/connection-records.ts';
import type { ConsentForm } from '#core/connect/open-link.ts';
import type { ConnectionPlan } from '#core/connect/approve.ts';
import { destinationName, hostOf, type Markup, type Page } from './page.ts';

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
        ${row('Access is given by', hostOf(plan.discovered.tokenEndpoint))}
        ${row('You come back to', backTo(record, linkUrl))}
      </dl>
      ${consentForm(linkUrl, form, 'Approve and continue')}
      <p class="small">Signed in as ${record.user}. Nothing is shared before you approve.</p>`,
  };
}

/** A user agrees to sign in for agents, where their organisation decides about servers. */
export function identityPage({ record, form, again, linkUrl }: Omit<ConsentPage, 'plan'>): Page {
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
      ${consentForm(linkUrl, form, 'Approve and sign in')}
      <p class="small">Signed in as ${record.user}. Nothing is kept before you approve.</p>`,
  };
}

function consentForm(linkUrl: string, { token, plan }: ConsentForm, approve: string): Markup {
  return html`<form method="post" action="${linkUrl}/approve">
    <input type="hidden" name="token" value="${token}" />
    <input type="hidden" name="plan" value="${plan}" />
    <div class="actions">
      <button class="act" type="submit">${approve}</button>
      <button type="submit" formaction="${linkUrl}/cancel">Cancel</button>
    </div>
  </form>`;
}

const lookAgain = html`<p class="note" role="status">
  What this would do has changed, or this page was open for too long. Please look at it again.
</p>`;

function row(name: string, value: string | Markup): Markup {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

function whoAsks({ agent }: Connection): { readonly who: string; readonly agentRow: Markup | string } {
  if (agent === null) return { who: 'An agent', agentRow: '' };
  return { who: agent.name, agentRow: row('Agent', `${agent.name}, version ${agent.version}`) };
}

function scopeList(scopes: readonly string[]): string | Markup {
  if (scopes.length === 0) return 'What the server gives by default; you will see it there';
  return html`<ul>
    ${scopes.map((scope) => html`<li>${scope}</li>`)}
  </ul>`;
}

function backTo({ returnUrl }: Connection, linkUrl: string): string {
  const here = hostOf(linkUrl);
  return returnUrl === null ? here : `${here}, and then ${destinationName(returnUrl)}`;
}
