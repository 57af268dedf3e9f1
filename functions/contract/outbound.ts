/** Where the service may go although the rules for the open network forbid it: a customer's own servers. */
import * as z from 'zod';

/** `example.internal`, `*.example.internal` or an IPv4 address, as it stands in a URL. */
const HOST = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

export const AllowedHost = z.strictObject({
  /** Compared before the name is resolved; `*.` stands for one label or more, never for none. */
  host: z.string().max(253).regex(HOST, 'must be a host name in lower case, "*." and a host name, or an IPv4 address'),
  /** Compared after it is resolved: an address outside must be a public one. */
  cidr: z.union([z.cidrv4(), z.cidrv6()], 'must be a CIDR block such as 10.1.0.0/16 or fd12:3456::/48'),
  /** Admits http beside https. @default false */
  http: z.boolean().optional(),
});
export type AllowedHost = z.infer<typeof AllowedHost>;

export const AllowedHosts = z.array(AllowedHost).max(64);
export type AllowedHosts = z.infer<typeof AllowedHosts>;
