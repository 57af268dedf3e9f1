const compiled = new Map<string, RegExp>();

/** `*` stands for any run of characters, `?` for exactly one. */
export function matchesGlob(pattern: string, text: string): boolean {
  if (pattern === '*' || pattern === text) return true;
  if (!pattern.includes('*') && !pattern.includes('?')) return false;
  const known = compiled.get(pattern) ?? compile(pattern);
  return known.test(text);
}

function compile(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^]*')
    .replaceAll('?', '[^]');
  const expression = new RegExp(`^${escaped}$`);
  compiled.set(pattern, expression);
  return expression;
}

/** A wildcard reaches across an ARN's last part only, never from one of its first five parts into the next. */
export function matchesArn(pattern: string, arn: string): boolean {
  if (pattern === '*' || pattern === arn) return true;
  const patterns = arnParts(pattern);
  const parts = arnParts(arn);
  if (parts === null) return matchesGlob(pattern, arn);
  if (patterns === null) return false;
  return patterns.every((part, index) => matchesGlob(part, parts[index] ?? ''));
}

function arnParts(arn: string): readonly string[] | null {
  const parts = arn.split(':');
  return parts.length < 6 || parts[0] !== 'arn' ? null : [...parts.slice(0, 5), parts.slice(5).join(':')];
}

/** Service and action names are not case sensitive. */
export function matchesAction(pattern: string, action: string): boolean {
  return matchesGlob(pattern.toLowerCase(), action.toLowerCase());
}
