import type * as z from 'zod';
import { readAssembly, type Assembly } from './assembly.ts';
import { createResolver } from './intrinsics.ts';

/** A resource of which the condition holds; the properties that a schema names are resolved. */
interface Resource<Properties> {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Properties;
  readonly name: string;
  /** What `Ref` answers. */
  readonly ref: string;
  readonly arn: string;
}

/** One synthesized stack with its intrinsic functions resolvable. */
export interface Stack {
  readonly assembly: Assembly;
  /**
   * The resources of these types, in the template's order.
   * @throws when a resource lacks a property that is needed, or one cannot be resolved; the logical id is named
   */
  of<T extends z.ZodObject>(properties: T, ...types: string[]): readonly Resource<z.infer<T>>[];
  /** All resources as they are written. */
  all(): readonly Pick<Resource<Readonly<Record<string, unknown>>>, 'logicalId' | 'type' | 'properties'>[];
  resolve(value: unknown, where: string): unknown;
  outputs(): Readonly<Record<string, string>>;
}

export function readStack(cdkOutDir: string, parameters: Readonly<Record<string, string>>): Stack {
  const assembly = readAssembly(cdkOutDir);
  const { body, stackName } = assembly;
  const resolver = createResolver({ body, stackName, parameters });
  const holds = (condition: string | undefined): boolean => condition === undefined || resolver.condition(condition);
  const resources = Object.entries(body.Resources)
    .filter(([, raw]) => holds(raw.Condition))
    .map(([logicalId, raw]) => ({ logicalId, type: raw.Type, properties: raw.Properties }));
  return {
    assembly,
    of: (schema, ...types) =>
      resources
        .filter(({ type }) => types.includes(type))
        .map(({ logicalId, type, properties }) => {
          const { name, ref, attributes } = resolver.identity(logicalId);
          // Only what the schema names is resolved: another property may refer to what this runtime does not know.
          const wanted = Object.entries(properties).filter(([key]) => key in schema.shape);
          const parsed = schema.safeParse(resolver.resolve(Object.fromEntries(wanted), logicalId));
          if (parsed.success) {
            return { logicalId, type, name, ref, arn: attributes['Arn'] ?? ref, properties: parsed.data };
          }
          const [issue] = parsed.error.issues;
          throw new Error(`${logicalId} (${type}): ${issue?.path.join('.')}: ${issue?.message}`);
        }),
    all: () => resources,
    resolve: resolver.resolve,
    outputs: () => {
      const present = Object.entries(body.Outputs).filter(([, output]) => holds(output.Condition));
      return Object.fromEntries(present.map(([name, output]) => [name, String(resolver.resolve(output.Value, name))]));
    },
  };
}
