/** Tokens of repositories, sealed by KMS: the sealed text is stored with its resource. */
import { randomUUID } from 'node:crypto';
import { KMSClient } from '@aws-sdk/client-kms';
import { Fault } from '#core/ports/errors.ts';
import type { TokenOpener, TokenPlace, TokenSealer } from '#core/ports/secrets.ts';
import { setting, type Env } from '#aws/settings.ts';
import { openText, sealText, type Sealing } from '#aws/vault/sealed-text.kms.ts';

/** Short, because a client, or a program that waits for the proxy, waits for it. */
const PATIENTLY = { requestHandler: { connectionTimeout: 1000, requestTimeout: 4000 }, maxAttempts: 3 };

/** `<version>.<sealed text>`. */
const VERSIONED = /^([0-9a-f-]{36})\.(.+)$/;

export function tokenSealerOf(env: Env): TokenSealer {
  return createTokenSealer(new KMSClient(PATIENTLY), setting(env, 'REPOSITORY_KEY_ARN'));
}

export function tokenOpenerOf(env: Env): TokenOpener {
  return createTokenOpener(new KMSClient(PATIENTLY), setting(env, 'REPOSITORY_KEY_ARN'));
}

export function createTokenSealer(client: KMSClient, keyArn: string): TokenSealer {
  return {
    async seal(place, token) {
      const version = randomUUID();
      return `${version}.${await sealText({ client, keyArn }, sealingOf(place, version), token)}`;
    },
  };
}

export function createTokenOpener(client: KMSClient, keyArn: string): TokenOpener {
  return {
    async open(place, sealed) {
      const [, version, text] = VERSIONED.exec(sealed) ?? [];
      if (version === undefined || text === undefined) return invalid(place);
      return openText({ client, keyArn }, sealingOf(place, version), text);
    },
  };
}

function sealingOf(place: TokenPlace, version: string): Sealing {
  const { workspace, session, resource } = place;
  return {
    context: { app: 'brainstem', ws: workspace, sesn: session, sesrsc: resource, field: 'token', version },
    unavailable: (done) => (cause) => {
      throw new Fault('secret_unavailable', `the token of resource ${resource} could not be ${done}`, { cause });
    },
    invalid: () => invalid(place),
  };
}

/** It has no cause, because a parser's error quotes the text that it refuses. */
function invalid({ resource }: TokenPlace): never {
  throw new Fault('stored_data_invalid', `the sealed token of resource ${resource} is not its token`);
}
