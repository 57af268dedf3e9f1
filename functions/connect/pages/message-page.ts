/** Pages that only say something: how a connection ended, or why it cannot go on. */
import { html } from 'hono/html';
import type { Connect } from '#contract/connect.ts';
import type { Connection } from '#core/ports/connection-records.ts';
import { MESSAGES } from '#core/connect/connection.ts';
import { destinationName, hostOf, type Page } from './page.ts';

export const unknownPage: Page = {
  status: 404,
  title: 'There is no such link',
  body: html`<p>It may have been copied in part, or be more than a week old. Please ask for a new one.</p>`,
};

export const loginFailedPage = (retryUrl: string | null): Page => ({
  status: 403,
  title: 'You could not be signed in',
  body: html`<p>Your identity provider’s answer was declined, too late, or meant for another browser.</p>
    ${retryUrl === null ? html`<p>Please open the link again.</p>` : button(retryUrl, 'Try again')}`,
});

export function mismatchPage(linkUrl: string): Page {
  return {
    status: 403,
    title: 'This link is for another user',
    body: html`<p>
        You are signed in as a user other than the one that it was made for. Nothing was shared, and the server was not
        contacted. If another person sent it to you, do not pass it on.
      </p>
      ${button(`${linkUrl}?account=other`, 'Use another account')}
      <p class="small">Reason: user_mismatch.</p>`,
  };
}

export const answerRefusedPage: Page = {
  status: 400,
  title: 'This answer cannot be used',
  body: html`<p>
    It was used before, came too late, or does not belong to this browser. Nothing was stored because of it. Please open
    your link again.
  </p>`,
};

const GOES_ON = 'What was waiting for you goes on by itself.';

export function endPage(record: Connection, status: Exclude<Connect['status'], 'pending'>): Page {
  const back =
    record.returnUrl === null ? '' : button(record.returnUrl, `Back to ${destinationName(record.returnUrl)}`);
  const server = hostOf(record.server.url);
  switch (status) {
    case 'completed':
      return {
        status: 200,
        title: `${server} is connected`,
        body: html`<p>
            ${record.isForCall ? GOES_ON : 'It is used from your next message on.'} You can close this page.
          </p>
          ${back}`,
      };
    case 'failed':
      return {
        status: 200,
        title: `${server} was not connected`,
        body: html`<p>${record.error === null ? '' : MESSAGES[record.error]}</p>
          ${back}`,
      };
    case 'expired':
      return {
        status: 410,
        title: 'This link has expired',
        body: html`<p>Links are good for 24 hours. Please ask for a new one.</p>
          ${back}`,
      };
    default:
      return status satisfies never;
  }
}

export function troublePage(error: NonNullable<Connection['error']>, requestId: string, retryUrl: string): Page {
  return {
    status: 502,
    title: 'It cannot be connected now',
    body: html`<p>${MESSAGES[error]}</p>
      ${button(retryUrl, 'Try again')}
      <p class="small">Reason: ${error}. This was logged as ${requestId}.</p>`,
  };
}

/** Tells nothing of the fault but the id with which an operator finds it in the log. */
export function faultPage(requestId: string, isLogin: boolean): Page {
  return {
    status: isLogin ? 503 : 500,
    title: isLogin ? 'Signing in does not work just now' : 'Something went wrong',
    body: html`<p>
        ${isLogin ? 'Your identity provider did not answer.' : 'Nothing was shared.'} Please try again in a few minutes.
      </p>
      <p class="small">This was logged as ${requestId}.</p>`,
  };
}

export function leavePage(url: string, toDo = 'You approve the access there.'): Page {
  return {
    status: 200,
    title: `Taking you to ${hostOf(url)}`,
    body: html`<p>${toDo}</p>
      ${button(url, 'Continue')}`,
    leadsTo: url,
  };
}

function button(url: string, text: string) {
  return html`<p class="actions"><a class="button act" href="${url}">${text}</a></p>`;
}
