/**
 * Stands in for `@aws-sdk/credential-provider-node` in the bundles: Lambda hands its role's credentials over in the
 * environment, and the SDK's other providers (SSO, profiles, login) would be 110 KB of every function.
 */
import { setting } from '#aws/settings.ts';

export const defaultProvider = () => () =>
  Promise.resolve({
    accessKeyId: setting(process.env, 'AWS_ACCESS_KEY_ID'),
    secretAccessKey: setting(process.env, 'AWS_SECRET_ACCESS_KEY'),
    ...(process.env['AWS_SESSION_TOKEN'] === undefined ? {} : { sessionToken: process.env['AWS_SESSION_TOKEN'] }),
  });
