/** What a session's clients, its sandboxes and its log say of repositories. */
import * as z from 'zod';
import { wellFormed } from './content.ts';

/** What git takes for a branch is judged by the repository's host; what it must never take for an option is judged here. */
const BranchName = wellFormed(255)
  .min(1)
  .regex(
    /^(?![-/.])(?!.*(?:\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)))[^\s\p{Cc}~^:?*[\\]+(?<![/.])$/u,
    'must be a name of a branch',
  );

export const Checkout = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('branch'), name: BranchName }),
    z.strictObject({
      type: z.literal('commit'),
      sha: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a whole SHA of 40 or 64 lower-case hex digits'),
    }),
  ])
  .meta({ id: 'Checkout' });
export type Checkout = z.infer<typeof Checkout>;

/** Errors of a clone. The session goes on without the repository. */
export const RepositoryErrorType = z.enum([
  'repository_authentication_error',
  'repository_forbidden_error',
  'repository_not_found_error',
  'repository_checkout_error',
  'repository_clone_error',
]);
export type RepositoryErrorType = z.infer<typeof RepositoryErrorType>;

/** Why a repository is not in the sandbox. `message` is for people. */
export const RepositoryFailure = z.object({
  type: RepositoryErrorType,
  url: z.string().max(2000),
  message: z.string().max(1000),
});
export type RepositoryFailure = z.infer<typeof RepositoryFailure>;
