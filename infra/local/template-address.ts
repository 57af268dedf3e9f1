/** Where the API is on this machine, in the place of where the deployed one would be. */
import type { Template } from './template/parts.ts';

/** Functions that send browsers somewhere know the API's address, and outputs tell it; customers' own domains stay what they are. */
export function servedAt(template: Template, url: string): Template {
  const deployed = template.outputs['BaseUrl'];
  if (deployed === undefined) return template;
  const here = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.replace(deployed, url)]));
  const functions = template.functions.map((part) => ({ ...part, environment: here(part.environment) }));
  return { ...template, functions, outputs: here(template.outputs) };
}
