/** In place of the resolver: a connection goes to an address that was judged. A second answer could differ from the first. */
import { parseAddress } from '#core/outbound/address.ts';

interface LookupAddress {
  readonly address: string;
  readonly family: number;
}

/** Node's `LookupFunction`, as far as it is used. */
type Lookup = (
  host: string,
  options: { readonly all?: boolean | undefined },
  done: (error: null, found: string | LookupAddress[], family?: number) => void,
) => void;

export function judgedLookup(addresses: readonly string[]): Lookup {
  const found = addresses.map((address) => ({ address, family: parseAddress(address)?.family ?? 4 }));
  return (_host, { all }, done) => {
    const [first] = found;
    if (all === true || first === undefined) return void done(null, found);
    done(null, first.address, first.family);
  };
}
