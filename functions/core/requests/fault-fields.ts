/**
 * The fields of a fault in a log line: classes, a place in the code, and the fault's `detail`. The message is left out,
 * because it may quote a secret or a prompt.
 */
import { errorClass, Fault } from '#core/ports/errors.ts';

export function faultFields(error: unknown): Readonly<Record<string, string>> {
  const cause = error instanceof Error ? error.cause : undefined;
  const detail = error instanceof Fault ? error.detail : null;
  const place = error instanceof Error ? innermostFrame(error) : undefined;
  return {
    error_class: errorClass(error),
    ...(cause === undefined ? {} : { error_cause: errorClass(cause) }),
    ...(detail === null ? {} : { error_detail: detail }),
    ...(place === undefined ? {} : { error_place: place }),
  };
}

/** The stack begins with the message, which is skipped. */
function innermostFrame({ stack = '', message }: Error): string | undefined {
  const frames = stack.slice(stack.indexOf(message) + message.length);
  return /\n[ \t]+at (.+)/.exec(frames)?.[1];
}
