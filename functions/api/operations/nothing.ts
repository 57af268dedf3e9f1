/** For operations that take no path parameters, or no body: an empty object is accepted, a field is not. */
import * as z from 'zod';

export const NoParams = z.object({});
export const NoBody = z.strictObject({});
