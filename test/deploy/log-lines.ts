/** Every line that the deployed functions and the state machine wrote to CloudWatch Logs. */
import { AwsClient } from 'aws4fetch';
import { CREDENTIALS, type Deployed } from './deployed.ts';

export async function logLines({ awsUrl }: Pick<Deployed, 'awsUrl'>): Promise<readonly string[]> {
  const client = new AwsClient({ ...CREDENTIALS, region: 'us-east-1', service: 'logs' });
  const call = async (operation: string, body: object): Promise<LogsAnswer> => {
    const headers = { 'x-amz-target': `Logs_20140328.${operation}`, 'content-type': 'application/x-amz-json-1.1' };
    const response = await client.fetch(awsUrl, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`CloudWatch Logs answered ${response.status} to ${operation}`);
    return (await response.json()) as LogsAnswer;
  };
  const { logGroups = [] } = await call('DescribeLogGroups', {});
  const pages = await Promise.all(logGroups.map(({ logGroupName }) => call('FilterLogEvents', { logGroupName })));
  return pages.flatMap(({ events = [] }) => events.map(({ message }) => message));
}

interface LogsAnswer {
  readonly logGroups?: readonly { readonly logGroupName: string }[];
  readonly events?: readonly { readonly message: string }[];
}
