/**
 * HTML to Markdown in one pass over the parser's events. The page is not trusted: no tree is built, and its depth and the
 * length of its text are limited.
 */
import { Parser } from 'htmlparser2';
import type { ReadPage } from '#core/ports/outbound.ts';
import { createMarkdown } from '#aws/outbound/markdown.ts';

const words = (text: string) => new Set(text.split(' '));

/** Elements that are not read: code, forms, drawings and embedded content. */
const UNREAD = words('script style template svg math iframe object embed canvas audio video select textarea button');
/** With an empty line around them. */
const PARAGRAPHS = words('p blockquote pre ul ol dl table figure hr h1 h2 h3 h4 h5 h6');
/** On lines of their own. */
const LINES = words(
  'div section article header footer main aside nav form fieldset address dt dd li tr caption figcaption br details summary body',
);

/** The parser looks for an end tag among all open elements, so a deep page would cost the square of its length. */
const MAX_DEPTH = 5000;
/** More than any model reads. Without it, a short page with a long base URL could yield far more through its links. */
const MAX_CHARS = 2_000_000;
/** The parser checks these limits after each slice. */
const SLICE_CHARS = 65_536;
const MAX_INDENTS = 8;
const MAX_LINK_CHARS = 2000;

type Attributes = Readonly<Record<string, string>>;

export const readPage: ReadPage = (html, url) => {
  const page = createPage(url);
  const parser = new Parser({ onopentag: page.open, onclosetag: page.close, ontext: page.say });
  for (let at = 0; at < html.length && !page.isTooMuch(); at += SLICE_CHARS) {
    parser.write(html.slice(at, at + SLICE_CHARS));
  }
  parser.end();
  return { title: page.title(), text: page.text() };
};

function createPage(url: string) {
  const markdown = createMarkdown();
  let base = url;
  let depth = 0;
  /** Open elements within an element that is not read, with that one. */
  let unread = 0;
  let title = '';
  let titleIs: 'awaited' | 'open' | 'closed' = 'awaited';
  /** For each open list, the number of its last item; null for a list without numbers. */
  const lists: (number | null)[] = [];

  function open(name: string, attributes: Attributes): void {
    depth += 1;
    if (unread > 0 || isUnread(name, attributes)) unread += 1;
    else if (name === 'title' && titleIs === 'awaited') titleIs = 'open';
    else if (name === 'base') base = URL.parse(attributes['href'] ?? '', url)?.href ?? base;
    else begin(name, attributes);
  }

  function begin(name: string, attributes: Attributes): void {
    const ends = endsAround(name);
    if (ends !== null) markdown.breakLine(ends);
    switch (name) {
      case 'a':
        return markdown.openLink(linkTo(attributes['href'], base));
      case 'img':
        return markdown.say(imageText(attributes));
      case 'pre':
        return markdown.openCode();
      case 'hr':
        return markdown.say('---');
      case 'blockquote':
        return markdown.lead('> ');
      case 'ul':
      case 'ol':
        return void lists.push(name === 'ol' ? 0 : null);
      case 'li':
        return markdown.lead(bullet());
      case 'tr':
        return markdown.beginRow();
      case 'td':
      case 'th':
        return markdown.cell();
      default:
        if (/^h[1-6]$/.test(name)) markdown.lead(`${'#'.repeat(Number(name[1]))} `);
    }
  }

  function close(name: string): void {
    depth -= 1;
    if (unread > 0) return void (unread -= 1);
    if (name === 'title' && titleIs === 'open') titleIs = 'closed';
    if (name === 'a') markdown.closeLink();
    if (name === 'pre') markdown.closeCode();
    if (name === 'ul' || name === 'ol') lists.pop();
    const ends = endsAround(name);
    if (ends !== null) markdown.endBlock(ends);
  }

  function endsAround(name: string): 1 | 2 | null {
    const isInnerList = (name === 'ul' || name === 'ol') && lists.length > 0;
    if (PARAGRAPHS.has(name)) return isInnerList ? 1 : 2;
    return LINES.has(name) ? 1 : null;
  }

  function bullet(): string {
    const indent = '  '.repeat(Math.min(Math.max(0, lists.length - 1), MAX_INDENTS));
    const last = lists.at(-1) ?? null;
    if (last === null) return `${indent}- `;
    lists[lists.length - 1] = last + 1;
    return `${indent}${last + 1}. `;
  }

  return {
    open,
    close,
    say(chars: string): void {
      if (unread > 0) return;
      if (titleIs === 'open') title += chars;
      else markdown.say(chars);
    },
    isTooMuch: () => depth > MAX_DEPTH || markdown.length() > MAX_CHARS,
    title: () => title.replaceAll(/\s+/g, ' ').trim(),
    text: markdown.read,
  };
}

/** Text that a page hides from people may be instructions for a model. */
function isUnread(name: string, attributes: Attributes): boolean {
  return UNREAD.has(name) || 'hidden' in attributes || attributes['aria-hidden'] === 'true';
}

function linkTo(href: string | undefined, base: string): string | null {
  if (href === undefined || href.startsWith('#')) return null;
  const url = URL.parse(href, base);
  if (url === null || !/^https?:$/.test(url.protocol) || url.href.length > MAX_LINK_CHARS) return null;
  return url.href;
}

function imageText({ alt = '' }: Attributes): string {
  return alt.trim() === '' ? '' : `[image: ${alt.trim()}]`;
}
