/**
 * A certified OpenID provider in the role of the customer's. A name that is typed in is the user who logs in. It
 * exchanges an ID token for an ID-JAG unless a test makes it refuse.
 */
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { errors, Provider, type GrantContext } from 'oidc-provider';
import type { LoginSettings } from '#contract/connect.ts';
import { signedJwt, verifiedJwt } from '#test/mcp/jwt.ts';
import { listenHere, type Listening } from '#test/mcp/listening.ts';

export const CLIENT_SECRET = 'login-secret-CANARY';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';
const ASKED = ['requested_token_type', 'audience', 'resource', 'subject_token', 'subject_token_type', 'scope'];

/** The parameters of a token exchange. */
export type Exchange = Readonly<Record<string, string | undefined>>;

export interface TestIdentityProvider extends Listening {
  readonly login: LoginSettings;
  /** Verifies the signatures of its ID tokens and of its assertions. */
  readonly publicKey: KeyObject;
  readonly exchanges: readonly Exchange[];
  /** Every later exchange ends with this OAuth error; null: none does. */
  refuses(code: string | null): void;
  /** The tokens of a user who has signed in, valid for an hour. */
  idToken(user: string, claims?: Readonly<Record<string, unknown>>): string;
}

/** `public`: the client of this service has no secret there. */
export async function startIdentityProvider(
  redirectUrl: string,
  client: 'confidential' | 'public' = 'confidential',
): Promise<TestIdentityProvider> {
  let answer: ReturnType<Provider['callback']> = () => undefined;
  const listening = await listenHere((request, response) => answer(request, response));
  const issuer = `http://localhost:${listening.port}`;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const proof = client === 'public' ? { token_endpoint_auth_method: 'none' } : { client_secret: CLIENT_SECRET };
  const grants = { grant_types: ['authorization_code', 'refresh_token', TOKEN_EXCHANGE] };
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'brainstem', redirect_uris: [redirectUrl], ...grants, ...proof }],
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    cookies: { keys: ['test'] },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600, RefreshToken: 600 },
    jwks: { keys: [privateKey.export({ format: 'jwk' })] },
    pkce: { required: () => true },
    // An organisation that trusts its own client does not ask each user.
    issueRefreshToken: async () => true,
  });
  const exchanges: Exchange[] = [];
  let refusal: string | null = null;
  provider.registerGrantType(TOKEN_EXCHANGE, exchange, ASKED);
  answer = provider.callback();

  async function exchange(context: GrantContext): Promise<void> {
    const { params, client: asking } = context.oidc;
    const asked = Object.fromEntries(ASKED.map((name) => [name, params[name]]));
    exchanges.push({ ...asked, client: asking.clientId });
    if (refusal !== null) throw new errors.CustomOIDCProviderError(refusal, 'not for this user, says ring +1 555');
    const subject = verifiedJwt(publicKey, params['subject_token'] ?? '')?.claims;
    if (subject?.['aud'] !== asking.clientId || subject['iss'] !== issuer) throw new errors.InvalidGrant('no subject');
    const { audience, resource, scope } = params;
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, exp: now + 300, jti: randomUUID() };
    const claims = { iss: issuer, sub: subject['sub'], aud: audience, resource, scope, client_id: CLIENT_AT_SERVER };
    context.body = {
      access_token: signedJwt(privateKey, { ...claims, ...times }, 'oauth-id-jag+jwt'),
      ...{ issued_token_type: ID_JAG, token_type: 'N_A', expires_in: 300 },
    };
  }

  return {
    ...listening,
    login: { issuer, clientId: 'brainstem', clientSecretArn: 'login-secret', userClaim: 'sub' },
    publicKey,
    exchanges,
    refuses: (code) => {
      refusal = code;
    },
    idToken(user, claims = {}) {
      const now = Math.floor(Date.now() / 1000);
      return signedJwt(privateKey, { iss: issuer, sub: user, aud: 'brainstem', iat: now, exp: now + 3600, ...claims });
    },
  };
}

/** The id of this service's client at the servers' authorization server, as the provider's administrator entered it. */
const CLIENT_AT_SERVER = 'client-1';
