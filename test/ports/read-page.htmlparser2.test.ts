import { describe, expect, it } from 'vitest';
import { readPage } from '#aws/outbound/read-page.htmlparser2.ts';

const read = (html: string) => readPage(html, 'https://www.example.com/docs/page?q=1');
const textOf = (html: string) => read(html).text;

describe('the text of an HTML page', () => {
  it('has its title, headings, paragraphs and absolute links', () => {
    const html = `<!doctype html><html><head><title> The  &amp; page </title></head><body>
      <h1>Hello <em>there</em></h1><p>One<br>two, see <a href="../more">the rest&nbsp;of it</a>.</p>
      <h2>Next</h2><div>AT&amp;T <b>and</b>others</div></body></html>`;
    expect(read(html)).toEqual({
      title: 'The & page',
      text: '# Hello there\n\nOne\ntwo, see [the rest of it](https://www.example.com/more).\n\n## Next\n\nAT&T andothers',
    });
  });

  it('has lists, nested and numbered', () => {
    expect(textOf('<ul><li>a<ul><li>b</li><li><p>c</p></li></ul></li><li></li><li>d</ul><ol><li>x<li>y</ol>')).toBe(
      '- a\n  - b\n  - c\n\n- d\n\n1. x\n2. y',
    );
  });

  it('has tables by row and cell', () => {
    expect(textOf('<table><tr><th>k</th><th>v</th></tr><tr><td>1<td>2</table>')).toBe('k | v\n1 | 2');
  });

  it('keeps code unchanged', () => {
    expect(textOf('<p>Run</p><pre><code>if (a &lt; b) {\n  go();\n}</code></pre>then')).toBe(
      'Run\n\n```\nif (a < b) {\n  go();\n}\n```\n\nthen',
    );
  });

  it('names images by their alternative text', () => {
    expect(textOf('<img src="data:image/png;base64,AAAA" alt="A cat"><img src="pixel.gif">')).toBe('[image: A cat]');
  });

  it('leaves out scripts, styles, forms and hidden elements', () => {
    const html =
      '<style>p{}</style><script>let a = "<p>no</p>";</script><p hidden>no <b>no</b></p>yes' +
      '<svg><title>no</title><path/></svg><div aria-hidden="true">no<div>no</div></div><!-- no --> and yes';
    expect(textOf(html)).toBe('yes and yes');
  });

  it('has links only to URLs that a request could reach', () => {
    const html = '<a href="javascript:alert(1)">a</a> <a href="#top">b</a> <a href="mailto:x@y.z">c</a> <a>d</a>';
    expect(textOf(html)).toBe('a b c d');
    expect(textOf('<base href="/base/"><a href="x">e</a><a href="y"></a>')).toBe('[e](https://www.example.com/base/x)');
  });

  it('is read as far as possible when the HTML is malformed', () => {
    expect(textOf('<p>a</div></p></table><b>b<p>c')).toBe('a\n\nb\n\nc');
    expect(textOf('')).toBe('');
  });
});

describe('a hostile HTML page', () => {
  it.each([
    ['that only opens elements', '<i>'.repeat(1_000_000) + '</b>'.repeat(1_000_000)],
    ['of lists within lists', '<ul>'.repeat(4900) + '<li>x'.repeat(1_000_000)],
    [
      'with a long address to base its links on',
      `<base href="https://www.example.com/${'b'.repeat(1900)}/">${'<a href=x>a</a>'.repeat(500_000)}`,
    ],
    ['of one endless tag', `<a ${'b="c" '.repeat(1_000_000)}`],
    ['of entities', '&amp;&lt;&notanentity;'.repeat(300_000)],
  ])('with %s takes little time', (_what, html) => {
    const before = process.cpuUsage();
    expect(textOf(html).length).toBeLessThan(15_000_000);
    // Measures processor time, because elapsed time depends on the load of the machine.
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  });
});
