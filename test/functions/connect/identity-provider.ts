/** A certified OpenID provider as the customer's: whoever types a name is that person. */
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';
import type { LoginSettings } from '#contract/connect.ts';
import { listenHere, type Listening } from '#test/mcp/listening.ts';

export const CLIENT_SECRET = 'login-secret-CANARY';

export interface TestIdentityProvider extends Listening {
  readonly login: LoginSettings;
}

/** `public`: our client there has no secret. */
export async function startIdentityProvider(
  redirectUrl: string,
  client: 'confidential' | 'public' = 'confidential',
): Promise<TestIdentityProvider> {
  let answer: ReturnType<Provider['callback']> = () => undefined;
  const listening = await listenHere((request, response) => answer(request, response));
  const issuer = `http://localhost:${listening.port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const proof = client === 'public' ? { token_endpoint_auth_method: 'none' } : { client_secret: CLIENT_SECRET };
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'brainstem', redirect_uris: [redirectUrl], ...proof }],
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    cookies: { keys: ['test'] },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
    jwks: { keys: [privateKey.export({ format: 'jwk' })] },
    pkce: { required: () => true },
  });
  answer = provider.callback();
  const login = { issuer, clientId: 'brainstem', clientSecretArn: 'login-secret', userClaim: 'sub' };
  return { ...listening, login };
}
