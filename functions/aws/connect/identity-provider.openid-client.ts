/** The customer's identity provider, by openid-client: discovery, PKCE, state, nonce and the ID token's signature. */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
  type ClientAuth,
  type Configuration,
} from 'openid-client';
import type { LoginSettings } from '#contract/connect.ts';
import type { Identity, IdentityProvider } from '#core/ports/login.ts';
import { claimedUser } from '#core/vault/id-token.ts';
import { Fault } from '#core/ports/errors.ts';
import { HeaderText, secretMethod } from '#core/vault/token-endpoint.ts';
import { OutboundError } from '#core/ports/outbound.ts';

interface IdentityProviderOptions {
  readonly login: LoginSettings;
  /** Null for a public client. */
  readonly clientSecret: () => Promise<string | null>;
  /** Guarded; it decides whether a host may be asked over http. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
}

export function createIdentityProvider(options: IdentityProviderOptions): IdentityProvider {
  let found: Promise<Configuration> | null = null;

  /** The provider's metadata, asked for once; after a failure it is asked for again. */
  async function configuration(): Promise<Configuration> {
    found ??= discover(options);
    try {
      return await found;
    } catch (cause) {
      found = null;
      throw unavailable(cause);
    }
  }

  return {
    async loginUrl({ redirectUrl, state, nonce, verifier, another, keeps }) {
      const parameters = {
        redirect_uri: redirectUrl,
        // Without a refresh token an identity is valid only as long as its first ID token.
        scope: `${scopeFor(options.login.userClaim)}${keeps ? ' offline_access' : ''}`,
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(another && { prompt: 'login' }),
      };
      return buildAuthorizationUrl(await configuration(), parameters).href;
    },

    async loggedIn({ url, state, nonce, verifier, keeps }) {
      const provider = await configuration();
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier };
      try {
        const tokens = await authorizationCodeGrant(provider, new URL(url), checks);
        const user = claimedUser(tokens.claims() ?? {}, options.login.userClaim);
        return user === null ? null : { user, identity: keeps ? await identityIn(options, provider, tokens) : null };
      } catch (cause) {
        if (isOutage(cause)) throw unavailable(cause);
        // The answer is declined, late, replayed or forged; only the provider knows which.
        return null;
      }
    },
  };
}

/** Null when a token cannot be sent in a header. */
async function identityIn(
  { login, clientSecret }: IdentityProviderOptions,
  provider: Configuration,
  tokens: Awaited<ReturnType<typeof authorizationCodeGrant>>,
): Promise<Identity | null> {
  const { id_token: idToken, refresh_token: refreshToken = null } = tokens;
  const { exp = 0, iat = 0 } = tokens.claims() ?? {};
  if (idToken === undefined || ![idToken, refreshToken ?? idToken].every((one) => HeaderText.safeParse(one).success)) {
    return null;
  }
  const { issuer, token_endpoint: tokenEndpoint, ...server } = provider.serverMetadata();
  const secret = await clientSecret();
  const auth = secret === null ? 'none' : secretMethod(server.token_endpoint_auth_methods_supported ?? []);
  return {
    issued: {
      issuer,
      tokenEndpoint: tokenEndpoint ?? '',
      resource: null,
      scopes: [],
      client: { id: login.clientId, auth, secret: login.clientSecretArn },
    },
    granted: {
      status: 'granted',
      accessToken: idToken,
      refreshToken,
      scopes: null,
      expiresInSeconds: Math.max(0, exp - iat),
    },
    clientSecret: secret,
  };
}

async function discover({ login, clientSecret, fetch }: IdentityProviderOptions): Promise<Configuration> {
  const secret = await clientSecret();
  const issuer = new URL(login.issuer);
  const authentication = secret === null ? None() : asSupported(secret);
  const execute = [enableNonRepudiationChecks, ...(issuer.protocol === 'http:' ? [allowInsecureRequests] : [])];
  return discovery(issuer, login.clientId, undefined, authentication, {
    execute,
    [customFetch]: (url, { method, headers, body, signal, redirect }) =>
      fetch(url, {
        method,
        headers,
        redirect,
        ...(body !== undefined && { body: body as NonNullable<RequestInit['body']> }),
        ...(signal && { signal }),
      }),
  });
}

/** RFC 8414: a provider that names no method supports Basic. */
function asSupported(secret: string): ClientAuth {
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const auth = methods.includes('client_secret_basic') ? ClientSecretBasic(secret) : ClientSecretPost(secret);
    return auth(server, ...rest);
  };
}

function scopeFor(claim: string): string {
  if (claim === 'sub') return 'openid';
  return claim === 'email' ? 'openid email' : 'openid profile';
}

/** Codes of answers that are not OAuth's. After any other error the login is not believed. */
const NO_ANSWER: readonly unknown[] = [
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
];

function isOutage(error: unknown): boolean {
  return outboundIn(error) !== null || noAnswerIn(error) !== null;
}

/** The library wraps the error of its `fetch` in classes that a bundle renames, so the causes are searched. */
function outboundIn(error: unknown): OutboundError | null {
  if (error instanceof OutboundError) return error;
  return error instanceof Error ? outboundIn(error.cause) : null;
}

function noAnswerIn(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && NO_ANSWER.includes(error.code)) return String(error.code);
  return noAnswerIn(error.cause);
}

function unavailable(cause: unknown): Fault {
  const outbound = outboundIn(cause);
  const detail = outbound?.message ?? noAnswerIn(cause);
  return new Fault('login_unavailable', 'the identity provider did not answer as an identity provider', {
    cause: outbound ?? cause,
    detail,
  });
}
