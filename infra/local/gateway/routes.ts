import type { RoutePart } from '../template/parts.ts';

export interface RouteMatch {
  readonly route: RoutePart;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Resources in the order in which API Gateway prefers them, each with the methods it has. */
interface Resource {
  readonly path: string;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly methods: ReadonlyMap<string, RoutePart>;
}

export type FindRoute = (method: string, path: string) => RouteMatch | null;

/**
 * API Gateway first finds the resource, by path alone and the most specific first, then the method in it. So a method
 * missing on a specific resource is not served by a greedy one beside it.
 */
export function createRouter(routes: readonly RoutePart[]): FindRoute {
  const paths = [...new Set(routes.map(({ path }) => path))].toSorted(bySpecificity);
  const resources = paths.map((path) => createResource(path, routes));
  return (method, path) => {
    for (const { pattern, names, methods } of resources) {
      const found = pattern.exec(path);
      if (found === null) continue;
      const route = methods.get(method) ?? methods.get('ANY');
      if (route === undefined) return null;
      return { route, parameters: Object.fromEntries(names.map((name, at) => [name, decode(found[at + 1] ?? '')])) };
    }
    return null;
  };
}

function createResource(path: string, routes: readonly RoutePart[]): Resource {
  const names: string[] = [];
  const source = path
    .replaceAll(/[.*^$()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\{([^{}+]+)(\+?)\}/g, (_all, name, greedy) => {
      names.push(String(name));
      return greedy === '+' ? '(.+)' : '([^/]+)';
    });
  const here = routes.filter((route) => route.path === path);
  return {
    path,
    pattern: new RegExp(`^${source}/?$`),
    names,
    methods: new Map(here.map((route) => [route.method.toUpperCase(), route])),
  };
}

/** Segment by segment: a literal before `{name}` before `{name+}`. */
function bySpecificity(left: string, right: string): number {
  const [a, b] = [left.split('/'), right.split('/')];
  const length = Math.max(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const difference = weight(a[at]) - weight(b[at]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function weight(segment: string | undefined): number {
  if (segment === undefined) return 3;
  if (segment.endsWith('+}')) return 2;
  return segment.startsWith('{') ? 1 : 0;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoding at all: the function sees what was sent.
    return text;
  }
}
