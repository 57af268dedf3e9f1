/** The Claude API, or a gateway that speaks it, as the model port. */
import { BaseAnthropic } from '@anthropic-ai/sdk/client';
import { Messages } from '@anthropic-ai/sdk/resources/messages/messages';
import type { SilenceSeconds } from '#contract/models.ts';
import type { Model } from '#core/ports/model.ts';
import { createMessagesModel } from '#aws/model/messages-api.ts';

interface AnthropicOptions {
  readonly baseUrl: string;
  /** Read when the first request is made, then kept: the secret's value never leaves this adapter. */
  readonly apiKey: () => Promise<string>;
  readonly silence: SilenceSeconds;
}

export function createAnthropicModel({ baseUrl, apiKey, silence }: AnthropicOptions): Model {
  return createMessagesModel({
    silence,
    connect: async (options) =>
      new Messages(new BaseAnthropic({ ...options, baseURL: baseUrl, apiKey: await apiKey() })),
    credentials: { name: 'the API key', check: 'the value of the model key secret' },
  });
}
