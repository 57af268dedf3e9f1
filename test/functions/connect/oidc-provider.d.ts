/** Types for the parts of `oidc-provider` that the tests use. The package has none. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  export interface GrantContext {
    readonly oidc: {
      readonly params: Readonly<Record<string, string | undefined>>;
      readonly client: { readonly clientId: string };
    };
    body: unknown;
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    callback(): RequestListener;
    on(event: string, listener: (context: unknown, error: Error) => void): void;
    registerGrantType(
      name: string,
      handler: (context: GrantContext) => Promise<void>,
      parameters: readonly string[],
    ): void;
  }

  export const errors: {
    readonly CustomOIDCProviderError: new (code: string, description: string) => Error;
    readonly InvalidGrant: new (detail: string) => Error;
  };
}
