/** The parts of a browser that the flow needs: cookies per host, redirects, a page that leads on, and forms. */

export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Answers requests to one base URL within this process. */
export interface InProcess {
  readonly baseUrl: string;
  fetch(request: Request): Response | Promise<Response>;
}

const MAX_HOPS = 20;

export function createBrowser(app: InProcess) {
  const jars = new Map<string, Map<string, string>>();

  function jarOf(url: string): Map<string, string> {
    const { host } = new URL(url);
    const jar = jars.get(host) ?? new Map<string, string>();
    jars.set(host, jar);
    return jar;
  }

  function keep(url: string, response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '' || /max-age=0(;|$)/i.test(line)) jarOf(url).delete(name);
      else jarOf(url).set(name, value);
    }
  }

  /** Sends one request. The response tells where it leads. */
  async function request(url: string, form?: Readonly<Record<string, string>>): Promise<Visit> {
    const cookie = [...jarOf(url)].map(([name, value]) => `${name}=${value}`).join('; ');
    const init = {
      redirect: 'manual' as const,
      headers: { ...(cookie !== '' && { cookie }) },
      ...(form !== undefined && { method: 'POST', body: new URLSearchParams(form) }),
    };
    const ours = url.startsWith(app.baseUrl);
    const response = ours
      ? await app.fetch(new Request(`https://connect.invalid/connect${url.slice(app.baseUrl.length)}`, init))
      : await fetch(url, init);
    keep(url, response);
    return { url, status: response.status, headers: response.headers, text: await response.text() };
  }

  /** The URL to which a response leads without a click; null for a page that stays. */
  function next({ url, headers, text }: Visit): string | null {
    const location = headers.get('location') ?? /http-equiv="refresh" content="0; url=([^"]+)"/.exec(text)?.[1];
    return location === undefined ? null : new URL(location.replaceAll('&amp;', '&'), url).href;
  }

  /** Follows until a page stays, or until the next URL would be `stopAt`. */
  async function follow(from: Visit, stopAt?: string): Promise<Visit> {
    let visit = from;
    for (let hop = 0; hop < MAX_HOPS; hop += 1) {
      const target = next(visit);
      if (target === null || (stopAt !== undefined && target.startsWith(stopAt))) return visit;
      visit = await request(target);
    }
    throw new Error(`still going on after ${MAX_HOPS} hops, at ${visit.url}`);
  }

  /** Submits the page's form with these fields filled in. */
  async function submit(page: Visit, typed: Readonly<Record<string, string>> = {}, action?: string): Promise<Visit> {
    const [, given = page.url] = /<form[^>]* action="([^"]+)"/.exec(page.text) ?? [];
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const fields = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value]));
    return request(new URL(action ?? given, page.url).href, { ...fields, ...typed });
  }

  async function open(url: string, stopAt?: string): Promise<Visit> {
    return follow(await request(url), stopAt);
  }

  /** Opens a link of the service, and logs in as this user if the identity provider asks. */
  async function openAs(user: string, url: string): Promise<Visit> {
    let page = await open(url);
    if (page.url.startsWith(app.baseUrl)) return page;
    page = await follow(await submit(page, { prompt: 'login', login: user, password: 'x' }));
    // The provider asks whether the service may know who the user is.
    return page.url.startsWith(app.baseUrl) ? page : follow(await submit(page, { prompt: 'consent' }));
  }

  return { request, next, follow, submit, open, openAs, jarOf };
}

export type Browser = ReturnType<typeof createBrowser>;
