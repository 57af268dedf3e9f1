import { startStandIn } from './model/stand-in.ts';

/** The model that the harness will ask. */
interface ModelChoice {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** A key of yours, as opposed to the scripted stand-in. */
  readonly real: boolean;
  /** Tells people what answers. */
  readonly name: string;
  close(): Promise<void>;
}

export interface ModelEnvironment {
  readonly ANTHROPIC_API_KEY?: string | undefined;
  readonly ANTHROPIC_BASE_URL?: string | undefined;
}

/** With a key: the endpoint the key is for. Without one nothing real can be asked, so a script answers. */
export async function chooseModel(environment: ModelEnvironment): Promise<ModelChoice> {
  const { ANTHROPIC_API_KEY: apiKey, ANTHROPIC_BASE_URL: baseUrl } = environment;
  if (apiKey === undefined || apiKey === '') {
    const standIn = await startStandIn();
    const name = 'scripted stand-in (no ANTHROPIC_API_KEY is set)';
    return { baseUrl: standIn.url, apiKey: 'stand-in', real: false, name, close: standIn.close };
  }
  const url = baseUrl === undefined || baseUrl === '' ? 'https://api.anthropic.com' : baseUrl;
  return { baseUrl: url, apiKey, real: true, name: url, close: async () => undefined };
}
