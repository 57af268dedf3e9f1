import { readFileSync } from 'node:fs';
import type {
  IPolicyValidationContext,
  IPolicyValidationPlugin,
  PolicyValidationPluginReport,
  PolicyViolation,
} from 'aws-cdk-lib';
import { RULES } from './rules.ts';
import type { Template } from './template.ts';

/** The rules of the design as a CDK plug-in, which stops the synthesis of a template that breaks one. */
export class DesignRules implements IPolicyValidationPlugin {
  readonly name = 'brainstem-design';
  readonly ruleIds = RULES.map(({ id }) => id);

  validate({ templatePaths }: IPolicyValidationContext): PolicyValidationPluginReport {
    const violations = templatePaths.flatMap(violationsIn);
    return { success: violations.length === 0, violations };
  }
}

function violationsIn(templatePath: string): PolicyViolation[] {
  const template = JSON.parse(readFileSync(templatePath, 'utf8')) as Template;
  return RULES.flatMap(({ id, reason, judge }) => {
    const violatingResources = Object.entries(template.Resources)
      .filter(([, resource]) => judge(resource, template) === 'not-compliant')
      .map(([resourceLogicalId]) => ({ resourceLogicalId, templatePath, locations: ['Properties'] }));
    return violatingResources.length > 0 ? [{ ruleName: id, description: reason, violatingResources }] : [];
  });
}
