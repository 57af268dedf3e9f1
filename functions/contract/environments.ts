/** Environments. */
import * as z from 'zod';
import { EnvironmentId, Instant } from './ids.ts';
import { Metadata, MetadataPatch } from './metadata.ts';
import { notYetType } from './not-yet.ts';

/** The contract leaves the counts open; these keep a record far below what a row can hold. */
const MAX_PACKAGES = 100;
const MAX_HOSTS = 256;

/** A name becomes an argument of its manager's command, where a leading dash would be an option. */
const PackageNames = z
  .array(
    z
      .string()
      .min(1)
      .max(256)
      .regex(/^[\x21-\x7e]*$/, 'must have printable ASCII characters only, and no spaces')
      .regex(/^(?!-)/, 'must not begin with "-"'),
  )
  .max(MAX_PACKAGES)
  .nullish();

const PackagesInput = z.strictObject({
  type: z.literal('packages').optional(),
  apt: PackageNames,
  cargo: PackageNames,
  gem: PackageNames,
  go: PackageNames,
  npm: PackageNames,
  pip: PackageNames,
});
export type PackagesInput = z.infer<typeof PackagesInput>;

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const HOST = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);
/** Hosts are compared by name, so an address never matches. A URL takes a host that ends in a number for an address. */
const ADDRESS = /(?:^|\.)(?:\d+|0x[\da-f]*)$/i;

const Host = z
  .string()
  .min(1)
  .max(253)
  .refine(
    (host) => HOST.test(host) && !ADDRESS.test(host),
    'must be a hostname or "*." and one, without scheme, port or path',
  );

const NetworkingInput = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('unrestricted') }),
  z.strictObject({
    type: z.literal('limited'),
    allowed_hosts: z.array(Host).max(MAX_HOSTS).nullish(),
    allow_mcp_servers: z.boolean().nullish(),
    allow_package_managers: z.boolean().nullish(),
  }),
]);
export type NetworkingInput = z.infer<typeof NetworkingInput>;

/** Some official programs send `anthropic_cloud`. It is stored and answered as `cloud`. */
const CloudInput = z.strictObject({
  type: z.enum(['cloud', 'anthropic_cloud']),
  networking: NetworkingInput.nullish(),
  packages: PackagesInput.nullish(),
});
export type CloudInput = z.infer<typeof CloudInput>;

const Name = z.string().min(1).max(256);
const Description = z.string().max(2048).nullish();
const Scope = z.literal('organization', 'account environments do not exist here: leave it out').nullish();

export const EnvironmentCreate = z
  .strictObject({
    name: Name,
    description: Description,
    config: z
      .discriminatedUnion('type', [
        CloudInput,
        notYetType('self_hosted', 'self_hosted environments are not supported yet: use "cloud"'),
      ])
      .nullish(),
    metadata: Metadata.optional(),
    scope: Scope,
  })
  .meta({ id: 'EnvironmentCreate' });
export type EnvironmentCreate = z.infer<typeof EnvironmentCreate>;

/** Accepts each type of `config`; the saved environment decides which types are refused. */
export const EnvironmentUpdate = z
  .strictObject({
    name: Name.nullish(),
    description: Description,
    config: z.discriminatedUnion('type', [CloudInput, z.strictObject({ type: z.literal('self_hosted') })]).nullish(),
    metadata: MetadataPatch.nullish(),
    scope: Scope,
  })
  .meta({ id: 'EnvironmentUpdate' });
export type EnvironmentUpdate = z.infer<typeof EnvironmentUpdate>;

const Packages = z.object({
  type: z.literal('packages'),
  apt: z.array(z.string()),
  cargo: z.array(z.string()),
  gem: z.array(z.string()),
  go: z.array(z.string()),
  npm: z.array(z.string()),
  pip: z.array(z.string()),
});
export type Packages = z.infer<typeof Packages>;

const Networking = z.discriminatedUnion('type', [
  z.object({ type: z.literal('unrestricted') }),
  z.object({
    type: z.literal('limited'),
    allowed_hosts: z.array(z.string()),
    allow_mcp_servers: z.boolean(),
    allow_package_managers: z.boolean(),
  }),
]);
export type Networking = z.infer<typeof Networking>;

const CloudConfig = z.object({ type: z.literal('cloud'), networking: Networking, packages: Packages });
export type CloudConfig = z.infer<typeof CloudConfig>;

export const Environment = z
  .object({
    id: EnvironmentId,
    type: z.literal('environment'),
    name: z.string(),
    description: z.string().nullable(),
    config: CloudConfig,
    metadata: Metadata,
    scope: z.literal('organization'),
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Environment' });
export type Environment = z.infer<typeof Environment>;
