import { Aws, Duration } from 'aws-cdk-lib';
import { Dashboard, GraphWidget, type IMetric, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { QueryDefinition, QueryString } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';
import type { SessionRun } from './session-run.ts';

export interface ObservabilityProps {
  readonly functions: readonly EntryFunction[];
  readonly run: SessionRun;
}

const PERIOD = Duration.minutes(1);

/** The functions that make tool calls. */
const HANDS = ['execute', 'web-fetch', 'mcp-proxy'] as const;

/** A dashboard of the functions' metrics, and saved queries over the line that they log per turn, call and request. */
export class Observability extends Construct {
  readonly dashboardUrl: string;

  constructor(scope: Construct, id: string, { functions, run }: ObservabilityProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) });
    dashboard.addWidgets(
      graph('Time to first token (ms)', percentiles('TimeToFirstToken', 'harness')),
      graph('Turn (ms)', percentiles('TurnDuration', 'harness')),
      graph('Tool call (ms)', percentiles('ToolDuration', ...HANDS)),
    );
    dashboard.addWidgets(
      graph('Tokens', [sum('InputTokens', 'harness'), sum('OutputTokens', 'harness')]),
      graph('Errors', [sum('ModelErrors', 'harness'), sum('RequestErrors', 'api')]),
      graph('Runs that failed', [
        run.machine.metricFailed(),
        run.machine.metricTimedOut(),
        run.machine.metricThrottled(),
      ]),
    );
    dashboard.addWidgets(
      graph(
        'Function errors',
        functions.map(({ entry, lambda }) => lambda.metricErrors({ label: entry, period: PERIOD })),
      ),
      graph(
        'Function throttles',
        functions.map(({ entry, lambda }) => lambda.metricThrottles({ label: entry, period: PERIOD })),
      ),
      graph(
        'Instances busy at once',
        functions.map(({ entry, lambda }) => concurrent(entry, lambda.functionName)),
      ),
    );
    this.dashboardUrl = `https://${Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region=${Aws.REGION}#dashboards/dashboard/${dashboard.dashboardName}`;
    this.#saveQueries(functions);
  }

  #saveQueries(functions: readonly EntryFunction[]): void {
    const logGroups = functions.map(({ lambda }) => lambda.logGroup);
    for (const [name, query] of Object.entries(QUERIES)) {
      new QueryDefinition(this, name.replaceAll(' ', ''), {
        queryDefinitionName: `${Aws.STACK_NAME}/${name}`,
        queryString: new QueryString(query),
        logGroups,
      });
    }
  }
}

/** In a log line, `message` names its kind: turn, tool call or request. */
const QUERIES = {
  'One session': {
    fields: [
      '@timestamp',
      'service',
      'message',
      'session',
      'thread',
      'run',
      'turn',
      'call',
      'request_id',
      'duration_ms',
      'ttft_ms',
      'input_tokens',
      'output_tokens',
      'stop_reason',
      'outcome',
      'status',
      'error_class',
    ],
    filterStatements: ['session = "sesn_REPLACE_ME"'],
    sort: '@timestamp asc',
    limit: 1000,
  },
  'Slowest turns': {
    fields: [
      '@timestamp',
      'session',
      'run',
      'turn',
      'duration_ms',
      'ttft_ms',
      'input_tokens',
      'output_tokens',
      'stop_reason',
    ],
    filterStatements: ['message = "turn"'],
    sort: 'duration_ms desc',
    limit: 50,
  },
  'Errors by class': {
    filterStatements: ['ispresent(error_class) and error_class != ""'],
    statsStatements: ['count(*) as errors, latest(session) as last_session by error_class, service'],
    sort: 'errors desc',
  },
};

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8, period: PERIOD });
}

function percentiles(metricName: string, ...services: readonly string[]): IMetric[] {
  return services.flatMap((service) =>
    [Stats.p(50), Stats.p(95)].map((statistic) =>
      measured(metricName, service, {
        statistic,
        label: services.length === 1 ? statistic : `${service} ${statistic}`,
      }),
    ),
  );
}

function sum(metricName: string, service: string): IMetric {
  return measured(metricName, service, { statistic: Stats.SUM, label: metricName });
}

function measured(
  metricName: string,
  service: string,
  shown: { readonly statistic: string; readonly label: string },
): IMetric {
  return new Metric({ namespace: 'Brainstem', metricName, dimensionsMap: { service }, ...shown, period: PERIOD });
}

function concurrent(label: string, functionName: string): IMetric {
  return new Metric({
    namespace: 'AWS/Lambda',
    metricName: 'ConcurrentExecutions',
    dimensionsMap: { FunctionName: functionName },
    statistic: Stats.MAXIMUM,
    label,
    period: PERIOD,
  });
}
