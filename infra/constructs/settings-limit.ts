/** Lambda's limit for the settings of one function: all environment variables together, as JSON. */

export const MAX_SETTINGS_BYTES = 4096;

/** What only the deployment knows: a name or an ARN. No ARN of this stack is longer. */
const REFERENCE = '.'.repeat(128);
const PSEUDO_PARAMETER = '.'.repeat(14);

/**
 * What is wrong with settings as the template has them, or null. CloudFormation would tell it minutes later, and without
 * the sizes.
 */
export function settingsExcess(entry: string, settings: Readonly<Record<string, unknown>>): string | null {
  const texts = Object.entries(settings).map(([name, value]) => [name, textOf(value)] as const);
  const total = settingsBytes(Object.fromEntries(texts));
  if (total <= MAX_SETTINGS_BYTES) return null;
  const sizes = texts
    .map(([name, text]) => ({ name, bytes: Buffer.byteLength(JSON.stringify(text)) }))
    .toSorted((one, other) => other.bytes - one.bytes)
    .map(({ name, bytes }) => `${name} ${bytes}`);
  return (
    `the settings of the function ${entry} have about ${total} bytes, and Lambda takes ${MAX_SETTINGS_BYTES}. ` +
    `Shorten the options behind the largest: ${sizes.join(', ')}`
  );
}

export function settingsBytes(settings: Readonly<Record<string, string>>): number {
  return Buffer.byteLength(JSON.stringify(settings));
}

/** A text as long as the value will be. */
function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const [[name, argument] = ['', null]] = Object.entries(value);
  if (name === 'Fn::Join' && Array.isArray(argument)) return argument[1].map(textOf).join(String(argument[0]));
  return name === 'Ref' && String(argument).startsWith('AWS::') ? PSEUDO_PARAMETER : REFERENCE;
}
