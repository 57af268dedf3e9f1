/** Environments (contract §2.2). */
import * as z from 'zod';
import { EnvironmentId, Instant } from './ids.ts';
import { Metadata } from './metadata.ts';

const PackageNames = z.array(z.string().min(1).max(256)).max(0, 'packages are not supported yet: send []');

const PackagesInput = z.strictObject({
  type: z.literal('packages').optional(),
  apt: PackageNames.nullish(),
  cargo: PackageNames.nullish(),
  gem: PackageNames.nullish(),
  go: PackageNames.nullish(),
  npm: PackageNames.nullish(),
  pip: PackageNames.nullish(),
});

const NetworkingInput = z
  .looseObject({ type: z.enum(['unrestricted', 'limited']) })
  .refine((networking) => networking.type === 'unrestricted', 'limited networking is not supported yet');

const ConfigInput = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cloud'),
    networking: NetworkingInput.nullish(),
    packages: PackagesInput.nullish(),
  }),
  z
    .strictObject({ type: z.literal('self_hosted') })
    .refine(() => false, 'self_hosted environments are not supported yet: use "cloud"'),
]);

export const EnvironmentCreate = z
  .strictObject({
    name: z.string().min(1).max(256),
    description: z.string().max(2048).nullish(),
    config: ConfigInput.nullish(),
    metadata: Metadata.optional(),
    scope: z.literal('organization', 'account environments do not exist here: leave it out').nullish(),
  })
  .meta({ id: 'EnvironmentCreate' });
export type EnvironmentCreate = z.infer<typeof EnvironmentCreate>;

const Packages = z.object({
  type: z.literal('packages'),
  apt: z.array(z.string()),
  cargo: z.array(z.string()),
  gem: z.array(z.string()),
  go: z.array(z.string()),
  npm: z.array(z.string()),
  pip: z.array(z.string()),
});

export const Environment = z
  .object({
    id: EnvironmentId,
    type: z.literal('environment'),
    name: z.string(),
    description: z.string().nullable(),
    config: z.object({
      type: z.literal('cloud'),
      networking: z.object({ type: z.literal('unrestricted') }),
      packages: Packages,
    }),
    metadata: Metadata,
    scope: z.literal('organization'),
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Environment' });
export type Environment = z.infer<typeof Environment>;
