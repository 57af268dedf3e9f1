/** The skills of the session's agent, each unpacked into a folder of its name. */
import { SKILLS_DIR } from '#contract/hands.ts';
import type { ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';

export function skillsSource({ skills, blobs }: ContentsWorld, { contents }: Recipient): ContentSource {
  const mounted = contents?.skills ?? [];
  return {
    async entries() {
      return mounted.map(({ name, version }) => {
        return { path: `${SKILLS_DIR}/${name}`, version, access: 'read_only', form: 'archive' };
      });
    },
    async read({ version }) {
      const skill = mounted.find((one) => one.version === version);
      const found = skill === undefined ? null : await skills.version(skill.holder, skill.version);
      return found === null ? null : { bytes: found.bytes, body: await blobs.get(found.blob) };
    },
    without: ({ path }, absence) => {
      const why = absence.why === 'missing' ? 'it was deleted' : absence.reason;
      return { do: 'go on', note: `(The skill at ${path} is not in the sandbox: ${why}.)` };
    },
  };
}
