/** The model that was chosen, in the place of the one that the template names. */
import type { Template } from './template/parts.ts';

export interface TemplateModel {
  readonly baseUrl: string;
  /** A key of somebody's, as opposed to the scripted stand-in. */
  readonly real?: boolean;
}

/** Whether the harness asks with its own role, so that the template has no key: Bedrock, or Claude Platform on AWS. */
export function asksWithRole(template: Template): boolean {
  return template.outputs['ModelApiKeySecretArn'] === undefined;
}

/** @throws when a real model was chosen and could not be asked: nothing on this machine has a role of AWS */
export function askingModel(template: Template, { baseUrl, real = false }: TemplateModel): Template {
  if (real && asksWithRole(template)) {
    throw new Error(
      'This template asks its model with an AWS role, which only the scripted stand-in answers on this machine: ' +
        'unset ANTHROPIC_API_KEY, or synthesize with model.provider=anthropic.',
    );
  }
  const functions = template.functions.map((part) =>
    part.environment['MODEL_BASE_URL'] === undefined
      ? part
      : { ...part, environment: { ...part.environment, MODEL_BASE_URL: baseUrl } },
  );
  return { ...template, functions };
}
