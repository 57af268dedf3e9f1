/** Variants that the contract has and nobody has built: refused by name, so that they are no unknown value. */
import * as z from 'zod';

export const notYetType = <Type extends string>(type: Type, message: string) =>
  z.looseObject({ type: z.literal(type) }).transform((input, context): never => {
    context.issues.push({ code: 'custom', input, message });
    return z.NEVER;
  });
