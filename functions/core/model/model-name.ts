/** One model has many ids: dated, with an alias, and with another provider's place and version around them. */

/** `arn:…/`, then where Bedrock runs it (`us.`, `eu.`, `global.`, …), then who made it. */
const BEDROCK_PREFIX = /^(?:.*\/)?(?:[a-z-]+\.)?anthropic\./;
/** `-v1:0`, `-v1`, `-v1:0:200k` */
const BEDROCK_VERSION = /-v\d+(?::\w+)*$/;
const SNAPSHOT_DATE = /[-@]\d{8}$/;

/** What the model is called, whoever serves it: `us.anthropic.claude-haiku-4-5-20251001-v1:0` → `claude-haiku-4-5`. */
export function modelName(id: string): string {
  return withoutPlace(id).replace(SNAPSHOT_DATE, '');
}

/** The id as the Claude API knows it: place and version removed, the snapshot's date kept. */
export function withoutPlace(id: string): string {
  return isBedrockId(id) ? id.replace(BEDROCK_PREFIX, '').replace(BEDROCK_VERSION, '') : id;
}

export function isBedrockId(id: string): boolean {
  return BEDROCK_PREFIX.test(id);
}
