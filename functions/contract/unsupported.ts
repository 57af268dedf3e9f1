import * as z from 'zod';

/** Parts of the contract that are answered with 400: the schema's output type leaves them out. */
export const unsupported = <Shape extends z.ZodType>(shape: Shape, message: string) =>
  shape.transform((_given, context): never => {
    context.addIssue({ code: 'custom', path: ['type'], message });
    return z.NEVER;
  });
