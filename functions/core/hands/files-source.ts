/** The files that the session's client gave it, each at its path, and a second time where a program looks for it. */
import type { MountedFile } from '#contract/resources.ts';
import type { ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';

export function filesSource({ blobs }: ContentsWorld, { contents }: Recipient): ContentSource {
  const files = (contents?.resources ?? []).filter((one) => one.type === 'file');
  const byCopy = new Map<string, MountedFile>(files.map((file) => [file.file_id, file]));
  return {
    async entries() {
      return files.flatMap(({ file_id, mount_path, source: { also, bytes } }) => {
        const entry = { version: file_id, bytes, access: 'read_only', form: 'file' } as const;
        return [mount_path, ...(also === null ? [] : [also])].map((path) => ({ ...entry, path }));
      });
    },
    async read({ version }) {
      const source = byCopy.get(version)?.source;
      return source === undefined ? null : { bytes: source.bytes, body: await blobs.get(source.blob) };
    },
    without: ({ path }, absence) => {
      const why = absence.why === 'missing' ? 'it was removed' : absence.reason;
      return { do: 'go on', note: `(The user's file ${JSON.stringify(path)} is not in the sandbox: ${why}.)` };
    },
  };
}
