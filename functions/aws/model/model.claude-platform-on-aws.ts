/** Claude Platform on AWS as the model port: the Claude API behind AWS's signature, billed to the account. */
import { AnthropicAws } from '@anthropic-ai/aws-sdk/client';
import type { Model } from '#core/ports/model.ts';
import { CLIENT_OPTIONS, createMessagesModel } from '#aws/model/messages-api.ts';
import type { RoleCredentials } from '#aws/settings.ts';

interface ClaudePlatformOptions {
  readonly baseUrl: string;
  readonly region: string;
  /** `wrkspc_…`, of the account and the Region. */
  readonly workspaceId: string;
  readonly credentials: RoleCredentials;
}

export function createClaudePlatformModel({ baseUrl, region, workspaceId, credentials }: ClaudePlatformOptions): Model {
  return createMessagesModel({
    connect: async () =>
      new AnthropicAws({
        ...CLIENT_OPTIONS,
        baseURL: baseUrl,
        awsRegion: region,
        awsAccessKey: credentials.accessKeyId,
        awsSecretAccessKey: credentials.secretAccessKey,
        awsSessionToken: credentials.sessionToken ?? null,
        workspaceId,
        // Null, so that no key from an environment variable takes the place of the role.
        apiKey: null,
      }).messages,
    credentials: { name: 'the harness’s role', check: 'that the workspace is this account’s, in this Region' },
  });
}
