/** Token counts. `input_tokens` counts uncached input only. */
import * as z from 'zod';

/** What one model request used: part of `span.model_request_end`. */
export const ModelUsage = z
  .object({
    input_tokens: z.int().min(0),
    output_tokens: z.int().min(0),
    cache_read_input_tokens: z.int().min(0),
    cache_creation_input_tokens: z.int().min(0),
  })
  .meta({ id: 'ModelUsage' });
export type ModelUsage = z.infer<typeof ModelUsage>;

/** What a session used so far. */
export const Usage = z
  .object({
    input_tokens: z.int().min(0),
    output_tokens: z.int().min(0),
    cache_read_input_tokens: z.int().min(0),
    cache_creation: z.object({ ephemeral_5m_input_tokens: z.int().min(0), ephemeral_1h_input_tokens: z.int().min(0) }),
    /** Seconds spent running, fractions allowed. */
    active_seconds: z.number().min(0),
    server_tool_use: z.object({ web_search_requests: z.int().min(0), web_fetch_requests: z.int().min(0) }),
  })
  .meta({ id: 'Usage' });
export type Usage = z.infer<typeof Usage>;
