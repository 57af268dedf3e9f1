/** What an API key stands for. The key itself is stored nowhere: only its SHA-256 is. */
import * as z from 'zod';
import { ApiKeyId, Instant, WorkspaceId } from './ids.ts';

export const ApiKey = z.object({ id: ApiKeyId, workspace: WorkspaceId, createdAt: Instant });
export type ApiKey = z.infer<typeof ApiKey>;
