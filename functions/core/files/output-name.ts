/** The name and the type of a file that a session's sandbox wrote, from its path. */
import { MAX_FILENAME_CHARS } from '#contract/files.ts';

const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  css: 'text/css',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  gif: 'image/gif',
  gz: 'application/gzip',
  htm: 'text/html',
  html: 'text/html',
  ipynb: 'application/x-ipynb+json',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  jsonl: 'application/jsonl',
  md: 'text/markdown',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  parquet: 'application/vnd.apache.parquet',
  pdf: 'application/pdf',
  png: 'image/png',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  py: 'text/x-python',
  svg: 'image/svg+xml',
  tar: 'application/x-tar',
  tsv: 'text/tab-separated-values',
  txt: 'text/plain',
  wav: 'audio/wav',
  webp: 'image/webp',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  zip: 'application/zip',
};

/** Programs may give a file any name that Linux takes; what no client's system takes becomes `_`. */
export function outputName(path: string): string {
  const last = path.split('/').at(-1) ?? '';
  const name = last.toWellFormed().replace(/[<>:"|?*\\\p{Cc}]/gu, '_');
  if (name === '' || name === '.' || name === '..') return 'unnamed';
  if (name.length <= MAX_FILENAME_CHARS) return name;
  const extension = /\.\w{1,10}$/.exec(name)?.[0] ?? '';
  return name.slice(0, MAX_FILENAME_CHARS - extension.length).toWellFormed() + extension;
}

export function outputType(name: string): string {
  const [, extension = ''] = /\.([^.]+)$/.exec(name.toLowerCase()) ?? [];
  return Object.hasOwn(TYPES, extension) ? (TYPES[extension] ?? '') : 'application/octet-stream';
}
