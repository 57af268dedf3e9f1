/** What is wrong with a server, in words for people: they name it as the agent does, and never quote it. */
import type { CredentialId } from '#contract/ids.ts';
import type { McpErrorType } from '#contract/mcp.ts';
import { USER_KEY } from '#contract/vaults.ts';
import { pastedCredential, type Holder } from '#core/mcp/consent.ts';
import type { McpFailure } from '#core/ports/mcp-client.ts';
import { namedUser } from '#core/vault/named-user.ts';
import type { NoBearer } from '#core/ports/tokens.ts';

export interface Trouble {
  readonly type: McpErrorType;
  readonly message: string;
}

const AUTHENTICATION: McpErrorType = 'mcp_authentication_failed_error';
const CONNECTION: McpErrorType = 'mcp_connection_failed_error';

export function twoUsers(server: string): Trouble {
  const message = `Nobody acts towards the MCP server "${server}": the vaults of this session belong to different users.`;
  return { type: AUTHENTICATION, message };
}

export function badUrl(server: string): Trouble {
  return { type: CONNECTION, message: `The URL of the MCP server "${server}" is not one that can be asked.` };
}

export function tooMuch(server: string): Trouble {
  return { type: CONNECTION, message: `The MCP server "${server}" says more of its tools than can be offered.` };
}

export function noToken(server: string, { status }: NoBearer, holder: Holder): Trouble {
  switch (status) {
    case 'needs_reauth': {
      const pasted = pastedCredential(holder);
      if (pasted !== null) return refusedPasted(server, pasted);
      const message = `The user of this session has to connect the MCP server "${server}".`;
      return { type: AUTHENTICATION, message: `${message}${whyNoLink(holder)}` };
    }
    case 'other_user': {
      const message = `Nobody acts towards the MCP server "${server}": the sign-in in this session's vault is not its user's.`;
      return { type: AUTHENTICATION, message };
    }
    case 'access_denied': {
      const message = `The organisation of this session's user does not give access to the MCP server "${server}".`;
      return { type: AUTHENTICATION, message };
    }
    case 'unavailable': {
      // A row that cools down does not say for what: whoever can repair a setting has to be told that it may be one.
      const then = 'its authorization server may be down, or refuse this service as a client.';
      const message = `The access token for the MCP server "${server}" could not be had, and is asked for again later.`;
      return { type: AUTHENTICATION, message: `${message} If that goes on, the log says why: ${then}` };
    }
    default:
      return status satisfies never;
  }
}

/** Null for what one call met, and the next one need not meet. */
export function troubleOf(server: string, failure: McpFailure, holder: Holder): Trouble | null {
  const { kind, message } = failure;
  switch (kind) {
    case 'authentication': {
      const pasted = pastedCredential(holder);
      if (pasted !== null) return refusedPasted(server, pasted);
      const why =
        holder.match === null
          ? 'asks for a credential, and no vault of this session has one.'
          : "refused the credential of this session's vault.";
      return { type: AUTHENTICATION, message: `The MCP server "${server}" ${why}${whyNoLink(holder)}` };
    }
    case 'scope_required':
      return {
        type: AUTHENTICATION,
        message: `The MCP server "${server}" wants more rights than were granted${listed(failure.scopes)}.`,
      };
    case 'unreachable':
    case 'blocked':
    case 'timeout':
    case 'bad_answer':
      return unusable(server, message);
    // Told in the protocol's own words, it is what one tool has met.
    case 'server_error':
      return (failure.http?.status_code ?? 0) < 500 ? null : unusable(server, message);
    case 'not_found':
    case 'too_large':
    case 'rate_limited':
    case 'bad_request':
      return null;
    default:
      return kind satisfies never;
  }
}

function refusedPasted(server: string, credential: CredentialId): Trouble {
  const message = `The MCP server "${server}" refused the token of the credential ${credential}, which has to be replaced.`;
  return { type: AUTHENTICATION, message };
}

/** Where a consent would help, and the vault that it would go into does not say whom to ask. */
function whyNoLink({ user, match }: Holder): string {
  const asked = match === null ? user : namedUser(match.vault);
  return asked === null ? ` A link to connect it needs a vault whose metadata names ${USER_KEY}.` : '';
}

function unusable(server: string, message: string): Trouble {
  return { type: CONNECTION, message: `The MCP server "${server}" could not be used. ${message}` };
}

/** Scopes are the server's words: those that look like scopes, and no more of them than a person reads. */
function listed(scopes: readonly string[]): string {
  const shown = scopes.filter((scope) => /^[\x21-\x7e]{1,100}$/.test(scope)).slice(0, 20);
  return shown.length === 0 ? '' : `: ${shown.join(', ')}`;
}
