import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenHere, type Listening } from '#test/mcp/listening.ts';
import { AgentId } from '#contract/ids.ts';
import { waitingCall, WORKSPACE } from './flow.ts';
import { launchChromium, startServedFlow, type ServedFlow } from './chromium.ts';

/** Screenshots for people who have changed a page. */
const SHOTS = process.env['SCREENSHOTS'] ?? mkdtempSync(join(tmpdir(), 'connect-pages-'));

describe('the connect pages in a browser', () => {
  let flow: ServedFlow;
  let chromium: Browser;
  let app: Listening;
  beforeAll(async () => {
    flow = await startServedFlow({ isManaged: true });
    app = await listenHere((_request, response) => void response.end('<h1>Welcome back</h1>'));
    chromium = await launchChromium();
  });
  afterAll(async () => {
    await chromium.close();
    await Promise.all([flow.close(), app.close()]);
  });

  /** The browser's complaints, among them every violation of the page's security policy. */
  async function newPage(options: Parameters<Browser['newContext']>[0] = {}) {
    const context = await chromium.newContext(options);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      const { url } = message.location();
      // Browsers ask every host for an icon, and the identity provider's own page loads fonts from the internet.
      const isElsewhere = url.includes('fonts') || url.endsWith('/favicon.ico');
      if (message.type() === 'error' && !isElsewhere) complaints.push(message.text());
    });
    page.on('pageerror', (error) => void complaints.push(error.message));
    return { context, page, complaints };
  }

  async function logIn(page: Page, user: string): Promise<void> {
    await page.fill('input[name=login]', user);
    await page.fill('input[name=password]', 'x');
    await page.click('button[type=submit]');
    // The provider's next page has the same button.
    await page.waitForSelector('input[name=login]', { state: 'detached' });
    await page.click('button[type=submit]');
  }

  it('lead by clicks from the link to a credential and back to the app', async () => {
    const link = await flow.link('alice', { returnUrl: `${app.origin}/done` });
    const { page, complaints, context } = await newPage();
    await page.goto(link.url);
    await logIn(page, 'alice');
    await page.waitForURL(link.url);
    expect(await page.title()).toContain('Let Ada use');
    await page.screenshot({ path: join(SHOTS, 'consent.png') });
    await page.getByRole('button', { name: 'Approve and continue' }).click();
    await page.waitForURL(`${app.origin}/**`);
    expect(await page.textContent('h1')).toBe('Welcome back');
    expect(new URL(page.url()).searchParams.get('connect_id')).toBe(link.id);
    expect(await flow.credentials(link.vault)).toHaveLength(1);
    expect(complaints).toEqual([]);
    const cookies = (await context.cookies(link.url)).filter(({ name }) => name.startsWith('__Host-'));
    expect(cookies).toMatchObject([{ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' }]);
  });

  it('lead by clicks to a stored sign-in for a server that the organisation manages', async () => {
    const vault = await flow.vaultOf('alice');
    const server = { url: flow.world.enterprise?.identityUrl ?? '', name: null, resourceMetadata: null };
    const link = await flow.link('alice', { vault: vault.id, server, returnUrl: `${app.origin}/done` });
    const { page, complaints } = await newPage();
    await page.goto(link.url);
    await logIn(page, 'alice');
    await page.waitForURL(link.url);
    expect(await page.title()).toContain('Sign in for Ada');
    await page.screenshot({ path: join(SHOTS, 'identity.png') });
    await page.getByRole('button', { name: 'Approve and sign in' }).click();
    await page.waitForURL(`${app.origin}/**`);
    expect(new URL(page.url()).searchParams.get('connect_id')).toBe(link.id);
    expect(await flow.credentials(vault)).toMatchObject([{ auth: { mcp_server_url: server.url } }]);
    expect(complaints).toEqual([]);
  });

  it('show that the server is connected, also when the user opens the link again', async () => {
    const link = await flow.link();
    const { page, complaints } = await newPage();
    await page.goto(link.url);
    await logIn(page, 'alice');
    await page.getByRole('button', { name: 'Approve and continue' }).click();
    await page.getByRole('heading', { name: 'is connected' }).waitFor();
    await page.screenshot({ path: join(SHOTS, 'done.png') });
    await page.goto(link.url);
    await page.getByRole('heading', { name: 'is connected' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('stop a user that the connection does not name, and let the right one log in', async () => {
    const link = await flow.link('alice');
    const { page } = await newPage();
    await page.goto(link.url);
    await logIn(page, 'bob');
    await page.getByRole('heading', { name: 'for another user' }).waitFor();
    await page.screenshot({ path: join(SHOTS, 'mismatch.png') });
    await page.getByRole('link', { name: 'Use another account' }).click();
    await logIn(page, 'alice');
    await page.getByRole('heading', { name: 'Let Ada use' }).waitFor();
  });

  it('accept a cancellation and end the calls that wait for the connection', async () => {
    const call = waitingCall('browser');
    const link = await flow.links.offer({
      ...{
        workspace: WORKSPACE,
        vault: await flow.vaultOf('alice'),
        server: { url: flow.fx.url, name: 'files', resourceMetadata: null },
      },
      ...{ agent: { id: AgentId.parse('agent_01'), name: 'Ada', version: 1 }, scopes: [] },
      resume: call,
    });
    if (link === null) throw new Error('no link was offered');
    const { page, complaints } = await newPage();
    await page.goto(link.url);
    await logIn(page, 'alice');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('heading', { name: 'was not connected' }).waitFor();
    expect(await flow.world.connections.find(link.id)).toMatchObject({ status: 'failed', error: 'cancelled' });
    expect(flow.declined).toMatchObject([[call, expect.stringContaining('declined')]]);
    expect(complaints).toEqual([]);
  });

  it('can be read and used by keyboard, on a phone, in dark mode and by a screen reader', async () => {
    const link = await flow.link('alice', { scopes: ['files:read', 'files:write', 'profile'] });
    const { page } = await newPage({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
    await page.goto(link.url);
    await logIn(page, 'alice');
    await page.waitForURL(link.url);
    await page.screenshot({ path: join(SHOTS, 'consent-dark-phone.png'), fullPage: true });
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    expect(await page.locator('main').count()).toBe(1);
    expect(await page.locator('h1').count()).toBe(1);
    expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')).toBe(true);
    for (const button of await page.getByRole('button').all()) expect(await button.textContent()).not.toBe('');
    const inputs = page.locator('input:not([type=hidden])');
    expect(await inputs.count()).toBe(0);
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').textContent()).toBe('Approve and continue');
    const outline = await page.locator(':focus').evaluate((element) => {
      return element.ownerDocument.defaultView?.getComputedStyle(element).outlineStyle;
    });
    expect(outline).toBe('solid');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const selector of ['p', 'dt', 'dd', '.small', 'button.act']) {
        expect([colorScheme, selector, await contrast(page, selector)]).toEqual([
          colorScheme,
          selector,
          expect.toSatisfy((ratio: number) => ratio >= 4.5),
        ]);
      }
    }
  });

  it('are not shown in a frame of another page', async () => {
    const link = await flow.link();
    const { page, complaints } = await newPage();
    await page.goto(link.url);
    await logIn(page, 'alice');
    await page.waitForURL(link.url);
    // Another origin of the same site, so that the browser sends the cookies.
    await page.goto(`http://localhost:${app.port}/`);
    await page.setContent(`<iframe src="${link.url}"></iframe>`);
    await expect.poll(() => complaints.join()).toContain("frame-ancestors 'none'");
  });
});

/** The contrast ratio, as WCAG defines it, between an element's text and its background. */
function contrast(page: Page, selector: string): Promise<number> {
  return page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
      const luminance = (color: string) => {
        const [r = 0, g = 0, b = 0] = channels(color).map((value) => {
          const part = value / 255;
          return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const view = element.ownerDocument.defaultView;
      const behind = (from: typeof element | null): string => {
        const color = from === null ? 'rgb(255, 255, 255)' : (view?.getComputedStyle(from).backgroundColor ?? '');
        return from !== null && channels(color)[3] === 0 ? behind(from.parentElement) : color;
      };
      const text = luminance(view?.getComputedStyle(element).color ?? '');
      const ground = luminance(behind(element));
      return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    });
}
