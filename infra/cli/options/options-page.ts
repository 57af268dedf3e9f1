import { AllowedHost } from '#contract/outbound.ts';
import * as z from 'zod';
import { fieldsOf, required } from '../../options/fields.ts';
import { Options } from '../../options/options.ts';

type Schema = z.core.$ZodType;

const INTRODUCTION = `# Options: what can be set

This page is made from the schema of the options: \`npm --silent run options > docs/options.md\`.

The construct takes the options as properties: \`new Brainstem(this, 'Agents', { removalPolicy: 'destroy', sandbox: { memoryMb: 2048 } })\`.
The stack of this repository takes the same names as context, on the command line or in \`cdk.json\`, which \`npm start\` reads too.
\`-c\` takes lists and groups as JSON, and goes over \`cdk.json\`:

\`\`\`sh
npx cdk deploy -c removalPolicy=destroy -c sandbox.memoryMb=2048 -c mcp.allow='[{"host":"127.0.0.1","cidr":"127.0.0.1/32","http":true}]'
\`\`\`

\`\`\`json
{ "app": "node infra/main.ts", "context": { "brainstem": { "removalPolicy": "destroy", "sandbox": { "memoryMb": 2048 } } } }
\`\`\`

An option that does not exist, or has a wrong value, stops the synthesis with a line that names it. So do lists that together make
the settings of one function larger than the 4 KB that Lambda takes; the line then tells the size of each setting. Prices are those
of us-east-1; an option costs nothing where none is given.
`;

const HOSTS = `Functions reach public addresses over https. An entry of \`allow\` admits a private host too, or http.`;

/** docs/options.md, from the schema of the options. */
export function optionsPage(): string {
  const all = [...fieldsOf(Options)];
  const isGroup = ([, schema]: readonly [string, Schema]) => fieldsOf(schema).size > 0;
  const sections = all.filter(isGroup).map(([name, schema]) => {
    return section(`\`${name}\``, noteOf(schema, 'description'), rowsBelow(name, schema));
  });
  const single = all.filter((one) => !isGroup(one)).flatMap(([name, schema]) => rowsOf(name, schema));
  const hosts = section('Hosts', HOSTS, rowsBelow('', AllowedHost));
  return [INTRODUCTION, section('The whole stack', '', single), ...sections, hosts].join('\n');
}

function section(title: string, description: string, rows: readonly string[]): string {
  const words = description === '' ? '' : `${description}\n\n`;
  return `## ${title}\n\n${words}| Option | Value | Default | Meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function rowsBelow(path: string, schema: Schema): readonly string[] {
  return [...fieldsOf(schema)].flatMap(([name, field]) => rowsOf(path === '' ? name : `${path}.${name}`, field));
}

/** The row of an option, and those of what it holds. */
function rowsOf(name: string, schema: Schema): readonly string[] {
  const type = required(schema);
  const below = type instanceof z.ZodArray && !isHosts(type) ? rowsBelow(`${name}[]`, type.element) : [];
  const cells = [`\`${name}\``, valueOf(type), defaultOf(schema), noteOf(schema, 'description')];
  return [`| ${cells.join(' | ')} |`, ...rowsBelow(name, schema), ...below];
}

function isHosts(type: Schema): boolean {
  return type instanceof z.ZodArray && type.element === AllowedHost;
}

function valueOf(type: Schema): string {
  if (isHosts(type)) return 'list of [hosts](#hosts)';
  if (type instanceof z.ZodUnion) {
    return [...new Set(type.options.map((option) => valueOf(option as Schema)))].join(', or ');
  }
  const { enum: values, const: value, minimum, maximum = Infinity, ...json } = z.toJSONSchema(type);
  if (value !== undefined || values !== undefined) return (values ?? [value]).map(code).join(', ');
  if (minimum !== undefined) return maximum < Number.MAX_SAFE_INTEGER ? `${minimum} to ${maximum}` : `from ${minimum}`;
  return KINDS[String(json.type)] ?? 'text';
}

const KINDS: Readonly<Record<string, string>> = {
  ...{ array: 'list', boolean: '`true` or `false`', object: 'group' },
};

function defaultOf(schema: Schema): string {
  const words = noteOf(schema, 'default');
  if (words !== '') return words;
  if (schema instanceof z.ZodDefault) return code(schema.def.defaultValue);
  if (fieldsOf(schema).size > 0) return '';
  return schema instanceof z.ZodOptional ? 'not set' : 'required';
}

function code(value: unknown): string {
  return Array.isArray(value) && value.length === 0 ? 'none' : `\`${String(value)}\``;
}

/** What the schema, with or without its default, says of itself. */
function noteOf(schema: Schema, note: 'description' | 'default'): string {
  const said = z.globalRegistry.get(schema)?.[note];
  if (said !== undefined) return String(said);
  return required(schema) === schema ? '' : noteOf(required(schema), note);
}
