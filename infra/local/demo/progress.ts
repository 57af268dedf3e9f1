import type { SessionEvent } from './run-demo.ts';

/** What the service is busy with after this event; null leaves what was said before. */
export function progressAfter(event: SessionEvent): string | null {
  switch (event.type) {
    case 'span.model_request_start':
      return 'the model is answering';
    case 'event_delta':
      return 'the model is writing';
    case 'agent.tool_use':
      return `the sandbox runs ${event.name}`;
    case 'span.model_request_end':
      return event.is_error ? 'the turn is taken up again' : null;
    case 'agent.tool_result':
      return 'the model is asked next';
    case 'session.status_rescheduled':
      return 'waiting before the next try';
    default:
      return null;
  }
}
