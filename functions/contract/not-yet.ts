/** Variants of the API that this service does not have. They are refused by name, and not as unknown values. */
import * as z from 'zod';

export const notYetType = <Type extends string>(type: Type, message: string) =>
  z.looseObject({ type: z.literal(type) }).transform((input, context): never => {
    context.issues.push({ code: 'custom', input, message });
    return z.NEVER;
  });
