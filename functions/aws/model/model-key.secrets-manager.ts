/** Secrets of the service itself, as text: the model's API key and the first API key of the service. */
import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { Fault } from '#core/ports/errors.ts';

/** What an HTTP header may carry. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

/** Reads the model's API key. A secret that was made and never given a value is the customer's to fill, and is told. */
export function modelKeyReader(secretArn: string): () => Promise<string> {
  const read = secretReader(secretArn);
  return async () => {
    const apiKey = (await read())?.trim() ?? '';
    if (HEADER_TEXT.test(apiKey)) return apiKey;
    const message = `The model’s API key is not set, or is no key: put it into the secret ${secretArn}.`;
    throw new Fault('model_refused_request', message);
  };
}

/** The secret's text; null while it has none. */
function secretReader(secretArn: string): () => Promise<string | null> {
  const client = new SecretsManagerClient();
  return async () => {
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
      return SecretString ?? null;
    } catch (cause) {
      if (cause instanceof ResourceNotFoundException) return null;
      throw new Fault('secret_unavailable', `the secret ${secretArn} could not be read`, { cause });
    }
  };
}

export function requiredSecretReader(secretArn: string): () => Promise<string> {
  const read = secretReader(secretArn);
  return async () => {
    const text = await read();
    if (text === null) throw new Fault('setting_missing', `the secret ${secretArn} holds no text`);
    return text;
  };
}
