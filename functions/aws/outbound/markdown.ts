/** Markdown as it is written from left to right: what stands between two words is decided when the second one comes. */

interface Markdown {
  /** Text with HTML's white space, which counts as one space or as none. */
  say(chars: string): void;
  /** Ends the line, with empty ones up to `ends` line ends; nothing on a line that has not begun. */
  breakLine(ends: 1 | 2): void;
  /** What the next line begins with. */
  lead(mark: string): void;
  /** Ends a block: what would have led it leads nothing. */
  endBlock(ends: 1 | 2): void;
  openLink(href: string | null): void;
  closeLink(): void;
  openCode(): void;
  closeCode(): void;
  beginRow(): void;
  cell(): void;
  length(): number;
  read(): string;
}

export function createMarkdown(): Markdown {
  const pieces: string[] = [];
  let length = 0;
  /** Owed before the next word. */
  let ends = 1;
  let space = false;
  let mark = '';
  let link: { readonly href: string; begun: boolean } | null = null;
  let code = false;
  let cells = 0;

  function push(piece: string): void {
    pieces.push(piece);
    length += piece.length;
  }

  function settle(): void {
    if (ends > 0) push((length === 0 ? '' : '\n'.repeat(ends)) + mark);
    else if (space) push(' ');
    [ends, space, mark] = [0, false, ''];
  }

  function put(word: string): void {
    settle();
    if (link !== null && !link.begun) {
      link.begun = true;
      push('[');
    }
    push(word);
  }

  function breakLine(count: 1 | 2): void {
    if (code) return void (pieces.at(-1)?.endsWith('\n') === true || push('\n'));
    if (mark === '') ends = Math.max(ends, count);
    space = false;
  }

  return {
    say(chars) {
      if (code) return push(chars);
      const words = chars.replaceAll(/\s+/g, ' ');
      space ||= words.startsWith(' ');
      const trimmed = words.trim();
      if (trimmed === '') return;
      put(trimmed);
      space = words.endsWith(' ');
    },
    breakLine,
    lead(more) {
      if (!code) mark += more;
    },
    endBlock(count) {
      mark = '';
      breakLine(count);
    },
    openLink(href) {
      link = href === null ? null : { href, begun: false };
    },
    closeLink() {
      if (link?.begun === true) push(`](${link.href})`);
      link = null;
    },
    openCode() {
      if (code) return;
      settle();
      push('```\n');
      code = true;
    },
    closeCode() {
      if (!code) return;
      breakLine(1);
      code = false;
      push('```');
    },
    beginRow() {
      cells = 0;
    },
    cell() {
      cells += 1;
      if (cells === 1 || code) return;
      space = true;
      put('|');
      space = true;
    },
    length: () => length,
    read: () => pieces.join('').trim(),
  };
}
