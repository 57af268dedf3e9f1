/** A customer's own servers, which the service may reach although the rules for the open network forbid it. */
import * as z from 'zod';

/** `example.internal`, `*.example.internal` or an IPv4 address, as it stands in a URL. */
const HOST = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

export const HostName = z
  .string()
  .max(253)
  .regex(HOST, 'must be a host name in lower case, "*." and a host name, or an IPv4 address');

export const AllowedHost = z.strictObject({
  host: HostName.describe(
    'A host name in lower case or an IPv4 address, compared before resolution. `*.` is one label or more.',
  ),
  cidr: z
    .union([z.cidrv4(), z.cidrv6()], 'must be a CIDR block such as 10.1.0.0/16 or fd12:3456::/48')
    .describe('The block that private addresses of the host must be in, compared after resolution.'),
  http: z.boolean().optional().describe('Whether http is allowed besides https. Without it, only https is.'),
});
export type AllowedHost = z.infer<typeof AllowedHost>;

export const AllowedHosts = z.array(AllowedHost).max(64);
export type AllowedHosts = z.infer<typeof AllowedHosts>;
