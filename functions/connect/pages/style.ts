/** The pages' one style sheet. It stands in the page, allowed by its hash, so that a page loads nothing at all. */
import { createHash } from 'node:crypto';

export const STYLE = `
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --ink: #16191d; --soft: #565e6b; --line: #dfe2e7;
  --chip: #eef1f5; --act: #1f5bd8; --on-act: #fff; --warn: #8a4b00; --warn-ground: #fff4e2; --ring: #1f5bd8; }
@media (prefers-color-scheme: dark) { :root { --ground: #101317; --card: #191d23; --ink: #eceff3; --soft: #a3acb9;
  --line: #2c323b; --chip: #252b33; --act: #7aa5ff; --on-act: #0b1220; --warn: #ffc36b; --warn-ground: #33260f; --ring: #7aa5ff; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { width: 100%; max-width: 32rem; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 2rem; box-shadow: 0 1px 2px rgb(0 0 0 / .05), 0 12px 32px rgb(0 0 0 / .06); }
.app { margin: 0 0 .5rem; color: var(--soft); font-size: .875rem; letter-spacing: .01em; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.3; letter-spacing: -.01em; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; }
dl { margin: 1.25rem 0; border-top: 1px solid var(--line); }
dl > div { display: grid; grid-template-columns: 8.5rem 1fr; gap: .25rem 1rem; padding: .75rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
dd ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem; }
dd li { background: var(--chip); border-radius: 6px; padding: .05rem .5rem; font: .875rem/1.7 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem; }
button, a.button { appearance: none; display: inline-block; border: 1px solid var(--line); border-radius: 9px; padding: .65rem 1.3rem;
  font: inherit; font-weight: 600; cursor: pointer; background: transparent; color: var(--ink); text-decoration: none; }
button.act, a.act { background: var(--act); border-color: var(--act); color: var(--on-act); }
button:hover, a.button:hover { filter: brightness(1.07); }
:focus-visible { outline: 3px solid var(--ring); outline-offset: 2px; }
.note { background: var(--warn-ground); color: var(--warn); border-radius: 9px; padding: .75rem 1rem; }
main > :last-child { margin-bottom: 0; }
.small { color: var(--soft); font-size: .875rem; margin: 1.25rem 0 0; }
@media (max-width: 30rem) { main { padding: 1.25rem; } dl > div { grid-template-columns: 1fr; } .actions > * { flex: 1 1 100%; text-align: center; } }
`;

export const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;
