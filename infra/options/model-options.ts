import * as z from 'zod';
import { group, SecretArn, textOf } from './group.ts';

const BaseUrl = textOf(/^https?:\/\/\S+$/, 'must be an http or https URL')
  .optional()
  .meta({
    description: 'Another endpoint that speaks the Messages API of the provider: a gateway, or a VPC endpoint.',
    default: 'the endpoint of the provider',
  });

const Region = textOf(/^[a-z]{2}(?:-[a-z]+)+-\d$/, 'must be a Region such as eu-west-1')
  .optional()
  .meta({
    description: 'The Region in which `bedrock` or `claude-platform-on-aws` is asked.',
    default: 'the Region of the stack',
  });

const Silence = z.int().min(5).max(600);

const SILENCE = {
  silenceSeconds: Silence.default(120).describe(
    'How many seconds the model may send nothing while it answers. Then the request is cut off and made again, as for an ' +
      'overloaded provider.',
  ),
  silenceSecondsOf: z.record(z.string().min(1), Silence).default({}).meta({
    description: 'The same for single models, by the ids that agents name: `{"claude-opus-5-5":300}`.',
    default: 'none',
  }),
};

const ClaudeApi = group({
  provider: z.literal('anthropic').meta({
    description:
      'The service that answers: the Claude API, Amazon Bedrock, or Claude Platform on AWS. The harness asks the last two with ' +
      'its own role, without an API key.',
    default: '`anthropic`; required beside other options of `model`',
  }),
  baseUrl: BaseUrl,
  ...SILENCE,
  apiKeySecretArn: SecretArn.optional().meta({
    description:
      'The secret that holds the API key for `anthropic`, as plain text. A new secret has no value, and turns fail with a ' +
      'message that says so until you set one. A secret costs $0.40 a month.',
    default: 'a new secret',
  }),
  apiKeyKmsKeyArn: textOf(/^arn:[^:]+:kms:[^:]+:\d{12}:key\/\S+$/, 'must be the ARN of a KMS key')
    .optional()
    .meta({
      description: 'The KMS key that encrypts the secret of `apiKeySecretArn`, if it is a key of yours.',
      default: 'the key of Secrets Manager',
    }),
}).refine(({ apiKeySecretArn, apiKeyKmsKeyArn }) => apiKeySecretArn !== undefined || apiKeyKmsKeyArn === undefined, {
  path: ['apiKeyKmsKeyArn'],
  error: 'is for the secret of apiKeySecretArn, which must be set too',
});
export type ClaudeApi = z.output<typeof ClaudeApi>;

const Bedrock = group({ provider: z.literal('bedrock'), region: Region, baseUrl: BaseUrl, ...SILENCE });
export type Bedrock = z.output<typeof Bedrock>;

const ClaudePlatformOnAws = group({
  provider: z.literal('claude-platform-on-aws'),
  workspaceId: z
    .string()
    .regex(/^wrkspc_\w+$/, 'must be the id of a workspace: wrkspc_…')
    .describe('A workspace of this account in the Region. Required for `claude-platform-on-aws`.'),
  region: Region,
  baseUrl: BaseUrl,
  ...SILENCE,
});
export type ClaudePlatformOnAws = z.output<typeof ClaudePlatformOnAws>;

export const ModelOptions = z.discriminatedUnion('provider', [ClaudeApi, Bedrock, ClaudePlatformOnAws]);
export type ModelOptions = z.output<typeof ModelOptions>;
export type ModelProvider = ModelOptions['provider'];
