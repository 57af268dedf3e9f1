import type * as z from 'zod';
import { readAssembly, type Assembly } from './assembly.ts';
import type { Identity } from './identities.ts';
import { createResolver } from './intrinsics.ts';

export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** One synthesized stack with its intrinsic functions resolvable. */
export interface Stack {
  readonly name: string;
  readonly assembly: Assembly;
  /** The resources of these types whose condition holds, in the template's order. */
  of(...types: string[]): readonly Resource[];
  all(): readonly Resource[];
  /** @throws when the resource lacks a property that is needed, or one cannot be resolved; the logical id is named */
  read<T extends z.ZodObject>(resource: Resource, schema: T): z.infer<T>;
  resolve(value: unknown, where: string): unknown;
  identity(resource: Resource): Identity;
  outputs(): Readonly<Record<string, string>>;
}

export function readStack(cdkOutDir: string, parameters: Readonly<Record<string, string>>): Stack {
  const assembly = readAssembly(cdkOutDir);
  const { body, stackName } = assembly;
  const resolver = createResolver({ body, stackName, parameters });
  const holds = (condition: string | undefined): boolean => condition === undefined || resolver.condition(condition);
  const resources = Object.entries(body.Resources)
    .filter(([, raw]) => holds(raw.Condition))
    .map(([logicalId, raw]): Resource => ({ logicalId, type: raw.Type, properties: raw.Properties }));
  return {
    name: stackName,
    assembly,
    of: (...types) => resources.filter((resource) => types.includes(resource.type)),
    all: () => resources,
    read: (resource, schema) => {
      // Only what the schema names is resolved: a property nobody here needs may refer to what nobody here knows.
      const wanted = Object.entries(resource.properties).filter(([key]) => key in schema.shape);
      const parsed = schema.safeParse(resolver.resolve(Object.fromEntries(wanted), resource.logicalId));
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw new Error(`${resource.logicalId} (${resource.type}): ${issue?.path.join('.')}: ${issue?.message}`);
    },
    resolve: resolver.resolve,
    identity: (resource) => resolver.identity(resource.logicalId, resource.logicalId),
    outputs: () => {
      const present = Object.entries(body.Outputs).filter(([, output]) => holds(output.Condition));
      return Object.fromEntries(present.map(([name, output]) => [name, String(resolver.resolve(output.Value, name))]));
    },
  };
}
