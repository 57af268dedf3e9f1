/** Writes Markdown from left to right. The space between two words is written with the second one, which decides it. */

interface Markdown {
  /** `chars` is HTML text: its white space becomes one space or none. */
  say(chars: string): void;
  /** Ends the line with at least `ends` line ends. Does nothing on a line that has not begun. */
  breakLine(ends: 1 | 2): void;
  /** Adds to the start of the next line. */
  lead(mark: string): void;
  /** Ends a block, and drops the start of a line that did not begin. */
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
  /** Line ends to write before the next word. */
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

  function writeSpace(): void {
    if (ends > 0) push((length === 0 ? '' : '\n'.repeat(ends)) + mark);
    else if (space) push(' ');
    [ends, space, mark] = [0, false, ''];
  }

  function put(word: string): void {
    writeSpace();
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
      writeSpace();
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
