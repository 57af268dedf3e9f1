/**
 * Stands in for `@aws-sdk/credential-provider-node` and `@aws-sdk/credential-providers` in the bundles: Lambda hands its
 * role's credentials over in the environment, and the SDK's other providers (SSO, profiles, login) would be 110 KB of
 * every function.
 */
import { roleCredentials } from '#aws/settings.ts';

export const defaultProvider = () => () => Promise.resolve(roleCredentials(process.env));
