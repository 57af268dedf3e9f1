/** An error of a task, named as a state machine's `Retry` and `Catch` know it. */
export class TaskError extends Error {
  /** Read by the interpreter: false for errors which no retrier or catcher may see, not even `States.ALL`. */
  readonly isRetryable: boolean;
  readonly isCatchable: boolean;

  constructor(name: string, message: string, handling: 'matchable' | 'final' = 'matchable') {
    super(message);
    this.name = name;
    this.isRetryable = handling === 'matchable';
    this.isCatchable = handling === 'matchable';
  }
}
