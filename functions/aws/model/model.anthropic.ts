/** The Claude API, or a gateway that speaks it, as the model port. */
import { BaseAnthropic } from '@anthropic-ai/sdk/client';
import { Messages } from '@anthropic-ai/sdk/resources/messages/messages';
import type { Model } from '#core/ports/model.ts';
import { CLIENT_OPTIONS, createMessagesModel } from '#aws/model/messages-api.ts';

interface AnthropicOptions {
  readonly baseUrl: string;
  /** Read when the first request is made, then kept: the secret's value never leaves this adapter. */
  readonly apiKey: () => Promise<string>;
}

export function createAnthropicModel({ baseUrl, apiKey }: AnthropicOptions): Model {
  return createMessagesModel({
    connect: async () =>
      new Messages(new BaseAnthropic({ ...CLIENT_OPTIONS, baseURL: baseUrl, apiKey: await apiKey() })),
    credentials: { name: 'the API key', check: 'the value of the model key secret' },
  });
}
