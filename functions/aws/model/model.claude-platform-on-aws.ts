/** Claude Platform on AWS as the model port: the Claude API behind AWS's signature, billed to the account. */
import { AnthropicAws } from '@anthropic-ai/aws-sdk/client';
import type { SilenceSeconds } from '#contract/models.ts';
import type { Model } from '#core/ports/model.ts';
import { createMessagesModel } from '#aws/model/messages-api.ts';
import type { RoleCredentials } from '#aws/settings.ts';

interface ClaudePlatformOptions {
  readonly baseUrl: string;
  readonly region: string;
  /** `wrkspc_…`, of the account and the Region. */
  readonly workspaceId: string;
  readonly credentials: RoleCredentials;
  readonly silence: SilenceSeconds;
}

export function createClaudePlatformModel({
  baseUrl,
  region,
  workspaceId,
  credentials,
  silence,
}: ClaudePlatformOptions): Model {
  return createMessagesModel({
    silence,
    connect: async (options) =>
      new AnthropicAws({
        ...options,
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
