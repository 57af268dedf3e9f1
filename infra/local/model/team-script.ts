/** What the stand-in says as the agent that leads a team: it gives each of its agents a part of a sum, and adds the parts. */
import type { MessageParam } from '@anthropic-ai/sdk/resources/messages';
import type { ModelRequest, Reply } from './script.ts';

/** The sum of the primes below 1,000: the demo judges a team by it, whichever model leads. */
export const TEAM_SUM = '76127';

/** Adds up the primes of a range; the pauses let people watch. */
function primesBetween(from: number, to: number): string {
  return (
    `run: for step in 1 2 3; do sleep 0.3; done; awk 'BEGIN { for (n = ${from}; n < ${to}; n++) { p = 1; ` +
    `for (d = 2; d * d <= n; d++) if (n % d == 0) { p = 0; break } if (p) s += n } print s }'`
  );
}

/** Null for an agent that leads no team, or whose team has fewer than two agents: the result of `list_agents` names them. */
export function leadTeam(request: ModelRequest): Reply | null {
  const offered = new Set(request.tools?.map((tool) => ('name' in tool ? tool.name : '')));
  if (!offered.has('send_to_agent')) return null;
  const said = request.messages.map(textOf).join('\n');
  const [first, second] = new Set(
    [...said.matchAll(/^- ("(?:[^"\\]|\\.)+")/gm)].map(([, name = '""']) => String(JSON.parse(name))),
  );
  if (first === undefined) {
    return {
      text: 'I am a scripted stand-in, not a model. I look who can help me.',
      tools: [{ name: 'list_agents', input: {} }],
    };
  }
  if (second === undefined) return null;
  if (!said.includes('has begun to work')) {
    return {
      text: 'I give each of them one half of the work.',
      tools: [
        { name: 'send_to_agent', input: { agent: first, message: primesBetween(2, 500) } },
        { name: 'send_to_agent', input: { agent: second, message: primesBetween(500, 1000) } },
        { name: 'wait_for_report', input: {} },
      ],
    };
  }
  const parts = [...said.matchAll(/^Message of the agent ("(?:[^"\\]|\\.)+")[^]*?(\d+)\s*$/gm)].map(([, , part]) =>
    Number(part),
  );
  const [one, other] = parts;
  if (one === undefined || other === undefined)
    return { text: 'One part is there.', tools: [{ name: 'wait_for_report', input: {} }] };
  return {
    text: `Their parts are ${one} and ${other}: the sum of the primes below 1,000 is ${one + other}.`,
  };
}

function textOf({ content }: MessageParam): string {
  if (typeof content === 'string') return content;
  return content
    .flatMap((block) => {
      if (block.type === 'text') return [block.text];
      if (block.type !== 'tool_result') return [];
      const inner = block.content ?? [];
      return typeof inner === 'string' ? [inner] : inner.flatMap((one) => (one.type === 'text' ? [one.text] : []));
    })
    .join('\n');
}
