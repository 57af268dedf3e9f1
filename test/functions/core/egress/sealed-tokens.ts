/** Sealed tokens of repositories for tests: readable by the opener of the same place alone. */
import { Fault } from '#core/ports/errors.ts';
import type { TokenOpener, TokenSealer } from '#core/ports/secrets.ts';

let sealed = 0;

export function sealerOf(): TokenSealer & TokenOpener {
  return {
    async seal(place, token) {
      sealed += 1;
      return Buffer.from(JSON.stringify([sealed, place.resource, token])).toString('base64');
    },
    async open({ resource }, text) {
      const [, of, token] = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
      if (of !== resource) throw new Fault('stored_data_invalid', 'another place');
      return token;
    },
  };
}
