import type { Access, AwsRequest, AwsResponse } from '../service.ts';

const READS = ['BatchGetItem', 'GetItem', 'Query', 'Scan'];
/** An answer without rows. */
const MAX_BYTES = 300;
const MAX_PARTITIONS = 1000;

interface Asked {
  readonly request: Pick<AwsRequest, 'operation' | 'body'>;
  /** Of the call, as IAM judges it: they name the tables and the partitions. */
  readonly accesses: readonly Access[];
}

type Ask = () => Promise<AwsResponse>;

/**
 * Remembers that reads found nothing, because streams ask that several times a second. A read is answered from memory until
 * a write to its partition begins. What was read while a write was under way is forgotten when the write ends.
 */
export function rememberUnchanged(): (asked: Asked, ask: Ask) => Promise<AwsResponse> {
  const partitions = new Map<string, Map<string, AwsResponse>>();

  async function read(partition: string, { operation, body }: Asked['request'], ask: Ask): Promise<AwsResponse> {
    const answers = partitions.get(partition) ?? new Map<string, AwsResponse>();
    const question = `${operation} ${body.toString('latin1')}`;
    const known = answers.get(question);
    if (known !== undefined) return known;
    if (partitions.size >= MAX_PARTITIONS) partitions.clear();
    partitions.set(partition, answers);
    const answer = await ask();
    // A partition that was written to meanwhile has other answers.
    if (answer.status === 200 && answer.body.length <= MAX_BYTES) answers.set(question, answer);
    return answer;
  }

  async function write(written: readonly (string | null)[], ask: Ask): Promise<AwsResponse> {
    const forget = () => {
      for (const partition of written) if (partition !== null) partitions.delete(partition);
      if (written.includes(null)) partitions.clear();
    };
    forget();
    return ask().finally(forget);
  }

  return ({ request, accesses }, ask) => {
    const touched = accesses.map(partitionOf);
    const [partition = null, ...others] = touched;
    if (!READS.includes(request.operation)) return write(touched, ask);
    return partition === null || others.length > 0 ? ask() : read(partition, request, ask);
  };
}

/** Null where a call does not tell its one partition: an index has rows of many. */
function partitionOf({ resource, context }: Access): string | null {
  const [key, ...others] = context['dynamodb:LeadingKeys'] ?? [];
  return key === undefined || others.length > 0 ? null : `${resource} ${key}`;
}
