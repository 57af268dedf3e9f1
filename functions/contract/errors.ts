/** The error envelope and the one table from error code to HTTP status. */
import * as z from 'zod';

export const ERROR_STATUS = {
  invalid_request_error: 400,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  memory_path_conflict_error: 409,
  memory_precondition_failed_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

export type ErrorType = keyof typeof ERROR_STATUS;

const ErrorType = z.literal(Object.keys(ERROR_STATUS) as readonly ErrorType[] as [ErrorType, ...ErrorType[]]);

export const ErrorEnvelope = z
  .object({
    type: z.literal('error'),
    error: z.object({
      type: ErrorType,
      message: z.string(),
      details: z.looseObject({ error_code: z.string() }).optional(),
      /** Of a `memory_path_conflict_error`: the memory that has the path, or one that is an ancestor or descendant. */
      conflicting_memory_id: z.string().optional(),
      conflicting_path: z.string().optional(),
    }),
    request_id: z.string(),
  })
  .meta({ id: 'ErrorEnvelope' });
export type ErrorEnvelope = z.infer<typeof ErrorEnvelope>;
