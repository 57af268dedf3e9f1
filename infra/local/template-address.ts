/** Where the API is on this machine, in the place of where the deployed one would be. */
import type { Template } from './template/parts.ts';

/** Functions that send browsers somewhere know the API's address; those of customers' own domains stay what they are. */
export function servedAt(template: Template, url: string): Template {
  const deployed = template.outputs['BaseUrl'];
  if (deployed === undefined) return template;
  const functions = template.functions.map((part) => {
    const environment = Object.entries(part.environment).map(([name, value]) => [name, value.replace(deployed, url)]);
    return { ...part, environment: Object.fromEntries(environment) };
  });
  return { ...template, functions };
}
