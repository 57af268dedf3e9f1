/**
 * Invokes a function and waits for its result (`RequestResponse`).
 * @throws an Error whose `name` is the Lambda error type: the handler's own error name, `Lambda.Unknown` when the
 *   worker died, `Sandbox.Timedout` when it ran out of time. The message carries no user content.
 */
export type Invoke = (functionArn: string, payload: unknown) => Promise<unknown>;
