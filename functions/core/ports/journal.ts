/** One canonical line per turn, call, request and refresh of a token: ids, counts, durations and error classes, never content. */
export interface Journal {
  line(
    message:
      | 'turn'
      | 'tool call'
      | 'sandbox start'
      | 'egress proxy'
      | 'egress'
      | 'tool list'
      | 'request'
      | 'refresh'
      | 'managed access',
    fields: Readonly<Record<string, string | number | boolean | null>>,
  ): void;
  metric(name: MetricName, unit: 'Milliseconds' | 'Count', value: number): void;
}

export type MetricName =
  | 'TimeToFirstToken'
  | 'TurnDuration'
  | 'ToolDuration'
  | 'InputTokens'
  | 'OutputTokens'
  | 'ModelErrors'
  | 'RequestErrors';
