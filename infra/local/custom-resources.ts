/** Plays CloudFormation for the template's custom resources: asks each function once, and again only after a change. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { replaceFile } from './aws/atomic-file.ts';
import type { Invoke } from './lambda/invoke.ts';
import { serveLoopback, splitUrl } from './loopback.ts';
import type { CustomResourcePart, Template } from './template/parts.ts';

/** What was done, by logical id. */
const Done = z.record(z.string(), z.object({ physicalId: z.string(), properties: z.record(z.string(), z.unknown()) }));
type Done = z.infer<typeof Done>;

const Answer = z.object({
  Status: z.enum(['SUCCESS', 'FAILED']),
  Reason: z.string().optional(),
  PhysicalResourceId: z.string().optional(),
});
type Answer = z.infer<typeof Answer>;

interface CustomResourceOptions {
  readonly template: Pick<Template, 'customResources' | 'region' | 'account'>;
  readonly dataDir: string;
  readonly invoke: Invoke;
}

/** @throws when a function fails, or ends without an answer */
export async function runCustomResources({ template, dataDir, invoke }: CustomResourceOptions): Promise<void> {
  const file = join(dataDir, 'custom-resources.json');
  const before: Done = existsSync(file) ? Done.parse(JSON.parse(readFileSync(file, 'utf8'))) : {};
  const changed = template.customResources.filter(
    ({ logicalId, properties }) => !isDeepStrictEqual(before[logicalId]?.properties, properties),
  );
  if (changed.length === 0) return;
  const answers = await receiveAnswers();
  try {
    for (const part of changed) {
      const event = createEvent(template, part, before[part.logicalId]);
      await invoke(part.functionArn, { ...event, ResponseURL: answers.url(part.logicalId) });
      before[part.logicalId] = {
        physicalId: physicalIdOf(part, answers.get(part.logicalId)),
        properties: part.properties,
      };
      replaceFile(file, JSON.stringify(before));
    }
  } finally {
    await answers.close();
  }
}

function createEvent(
  { region, account }: CustomResourceOptions['template'],
  part: CustomResourcePart,
  before: Done[string] | undefined,
): Readonly<Record<string, unknown>> {
  const properties = { ServiceToken: part.functionArn, ...part.properties };
  return {
    RequestType: before === undefined ? 'Create' : 'Update',
    PhysicalResourceId: before?.physicalId,
    OldResourceProperties: before?.properties,
    RequestId: randomUUID(),
    StackId: `arn:aws:cloudformation:${region}:${account}:stack/Brainstem/local`,
    ServiceToken: part.functionArn,
    ResourceType: part.type,
    LogicalResourceId: part.logicalId,
    ResourceProperties: properties,
  };
}

/** @throws when the function did not answer that it succeeded */
function physicalIdOf({ logicalId }: CustomResourcePart, answer: Answer | undefined): string {
  if (answer === undefined) throw new Error(`The function of custom resource ${logicalId} ended without an answer.`);
  if (answer.Status === 'FAILED')
    throw new Error(`Custom resource ${logicalId} failed: ${answer.Reason ?? 'no reason given'}`);
  return answer.PhysicalResourceId ?? logicalId;
}

/** Where functions send their answers: in AWS, a presigned URL. */
async function receiveAnswers() {
  const answers = new Map<string, Answer>();
  const server = await serveLoopback(async (request, response) => {
    const answer = Answer.safeParse(await json(request).catch(() => null));
    if (answer.success) answers.set(splitUrl(request).path.slice(1), answer.data);
    response.writeHead(answer.success ? 200 : 400).end();
  });
  return {
    url: (logicalId: string) => `${server.url}/${logicalId}?signature=local`,
    get: (logicalId: string) => answers.get(logicalId),
    close: server.close,
  };
}
