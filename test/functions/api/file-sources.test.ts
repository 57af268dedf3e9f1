import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventIn } from '#contract/entries.ts';
import { FIRST_POSITION, primaryThread, SessionId, WorkspaceId } from '#contract/ids.ts';
import { storeFile } from '#core/files/store-file.ts';
import { endLeftover } from '#core/files/end-leftover.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { change } from '#core/session/change.ts';
import { png } from '#test/model/png.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_tests');
const OTHER_WORKSPACE = WorkspaceId.parse('wrkspc_others');
const PDF = Buffer.from('%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n');
const stranger = { authorization: `Bearer ${OTHER_KEY}` };

describe('files that events name', () => {
  let api: TestApi;
  let parts: { agent: string; environment_id: string };
  beforeAll(async () => {
    api = await startApi();
    parts = await made('claude-opus-5');
  });
  afterAll(() => api.close());

  async function made(model: string) {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    return { agent: agent.body.id as string, environment_id: environment.body.id as string };
  }

  async function file(bytes: Uint8Array | string, given: { workspace?: WorkspaceId; type?: string } = {}) {
    const { workspace = WORKSPACE, type = 'application/octet-stream' } = given;
    const whole = new Uint8Array(Buffer.from(bytes));
    const kind = { filename: 'a', mime_type: type, size_bytes: whole.length, scope: null, downloadable: false };
    const stored = await storeFile(api.world, { workspace, ...kind, expiresInSeconds: null }, whole);
    return stored.file.id;
  }

  const image = (file_id: string) => ({ type: 'image', source: { type: 'file', file_id } });
  const document = (file_id: string, more = {}) => ({ type: 'document', source: { type: 'file', file_id }, ...more });
  const message = (...content: readonly object[]) => ({ type: 'user.message', content });
  const create = (...events: readonly object[]) =>
    api.ask('POST', '/v1/sessions', { ...parts, initial_events: events });
  const send = (session: string, ...content: readonly object[]) =>
    api.ask('POST', `/v1/sessions/${session}/events`, { events: [message(...content)] });
  const keyOf = (session: string) => ({
    session: SessionId.parse(session),
    thread: primaryThread(SessionId.parse(session)),
  });
  const entriesOf = async (session: string) =>
    (await api.world.log.read(keyOf(session), FIRST_POSITION)).entries.map(({ entry }) => entry);
  const copiesOf = async (session: string) => {
    const all = { workspace: WORKSPACE, order: 'asc', from: null, to: null, includeArchived: true } as const;
    const page = { beyond: null, direction: 'next', limit: 1000 } as const;
    const { rows } = await api.world.files.list({ ...all, ...page }, SessionId.parse(session));
    return rows.map(({ item }) => item);
  };
  /** What the sweep does with everything that is due by then. */
  async function sweep(now: string) {
    const ports = {
      leftovers: api.world.leftovers,
      abandonedCopies: createFileRecords(api.dynamodb, api.recordsTable),
      abandonedVersions: createSkillRecords(api.dynamodb, api.recordsTable),
      blobRemover: api.world.blobs,
    };
    for await (const due of api.world.leftovers.due(now)) await endLeftover(ports, due, now);
  }

  it.each<[string, () => Buffer | string, 'image' | 'document', object]>([
    ['a PNG', () => png(640, 480), 'image', { type: 'blob', media_type: 'image/png', side: 640, chars: 40 }],
    ['a GIF', () => Buffer.from('GIF89a\x05\0\x03\0', 'latin1'), 'image', { media_type: 'image/gif', side: 5 }],
    ['a PDF', () => PDF, 'document', { type: 'blob', media_type: 'application/pdf' }],
    ['a CSV', () => 'a,b\n1,2\n', 'document', { type: 'text', media_type: 'text/plain', data: 'a,b\n1,2\n' }],
    ['a text with a byte order mark', () => '\ufeffGrüße 你好', 'document', { type: 'text', data: 'Grüße 你好' }],
    ['a text that begins like markup', () => '<svg/>', 'document', { type: 'text', data: '<svg/>' }],
  ])('are taken by their bytes, and never by their type: %s', async (_, bytes, type, held) => {
    const id = await file(bytes(), { type: 'video/mp4' });
    const block = type === 'image' ? image(id) : document(id, { title: 'One', context: 'From the archive' });
    const session = await api.session();
    const sent = await send(session, { type: 'text', text: 'Look.' }, block);
    expect(sent.body).toMatchObject({ data: [{ type: 'user.message', content: [{ text: 'Look.' }, block] }] });
    // The event is what the client sent, and says nothing of where the bytes are.
    const listed = await api.ask('GET', `/v1/sessions/${session}/events`);
    expect(listed.body.data.at(-1).content[1]).toEqual(block);
    expect(JSON.stringify([sent.body, listed.body])).not.toContain('blob');
    const entry = (await entriesOf(session)).find((one) => eventIn(one)?.type === 'user.message');
    expect(entry).toMatchObject({ files: { [id]: held } });
    expect((await api.ask('GET', `/v1/files?scope_id=${session}`)).body.data).toEqual([]);
  });

  const many = <Item>(count: number, item: (index: number) => Item): Item[] =>
    Array.from({ length: count }, (_, index) => item(index));

  it.each<[string, () => Promise<readonly object[]>, RegExp]>([
    ['a file that does not exist', async () => [document('file_none')], /^0\.source\.file_id: there is no such file$/],
    [
      'a file of another workspace',
      async () => [document(await file('x', { workspace: OTHER_WORKSPACE }))],
      /^0\.source\.file_id: there is no such file$/,
    ],
    ['an id of another form', async () => [document('../x')], /^0\.source\.file_id: /],
    [
      'bytes that are no text',
      async () => [document(await file(Buffer.from([0xff, 0xfe, 65, 66])))],
      /nor a text in UTF-8$/,
    ],
    ['a text with a zero byte', async () => [document(await file('a\0b'))], /neither a PDF nor a text/],
    ['an empty file', async () => [document(await file(''))], /the file is empty$/],
    ['a text of spaces', async () => [document(await file(' \n\t '))], /must say something$/],
    ['a PDF as an image', async () => [image(await file(PDF))], /is no JPEG, PNG, GIF or WebP$/],
    ['a text as an image', async () => [image(await file('<svg/>', { type: 'image/svg+xml' }))], /is no JPEG, PNG/],
    ['an image as a document', async () => [document(await file(png(1, 1)))], /send it in a block of type image$/],
    [
      'an image without a size',
      async () => [image(await file('\x89PNG\r\n\x1a\n'.repeat(2)))],
      /is no JPEG|cannot be read$/,
    ],
    [
      'a PNG that is cut',
      async () => [image(await file(png(1, 1).subarray(0, 18)))],
      /size of the image cannot be read$/,
    ],
    ['an image of 8,001 pixels', async () => [image(await file(png(1, 8001)))], /at most 8000 pixels a side$/],
    [
      'an image above 5 MB of base64',
      async () => [image(await file(Buffer.concat([png(1, 1), Buffer.alloc(3_932_160)])))],
      /images of at most 3932160 bytes$/,
    ],
    [
      'a PDF with a password',
      async () => [document(await file(`${PDF.toString()}<< /Encrypt 5 0 R >>`))],
      /the PDF is encrypted/,
    ],
    [
      'more than a request holds, in two',
      async () => [
        document(await file(Buffer.concat([PDF, Buffer.alloc(10_000_000)]))),
        document(await file(Buffer.concat([PDF, Buffer.alloc(8_000_000)]))),
      ],
      /^1\.source\.file_id: the files of one request have at most 18000000 bytes together$/,
    ],
    [
      'one file so often that no request holds it',
      async () => file(Buffer.concat([PDF, Buffer.alloc(2_000_000)])).then((id) => many(9, () => document(id))),
      /^8\.source\.file_id: the files of one request/,
    ],
    [
      'more text than a message has',
      async () => [document(await file('a'.repeat(3_000_000))), document(await file('\n'.repeat(1_000_000) + 'b'))],
      /^1\.source\.file_id: the texts of one request have at most 5000000 bytes together, as JSON$/,
    ],
    [
      '101 documents',
      async () => file('x').then((id) => many(101, () => document(id))),
      /^100\.source\.file_id: .* at most 100 files as documents$/,
    ],
    [
      '101 images',
      async () => file(png(1, 1)).then((id) => many(101, () => image(id))),
      /^100\.source\.file_id: .* at most 100 files as images$/,
    ],
    [
      '21 images, one of them large',
      async () => [image(await file(png(2001, 1))), ...(await file(png(1, 1)).then((id) => many(20, () => image(id))))],
      /^20\.source\.file_id: more than 20 images in one request must have at most 2000 pixels a side$/,
    ],
  ])('are refused when they are sent, by field and rule: %s', async (_, content, message) => {
    const session = await api.session();
    const { status, body } = await send(session, ...(await content()));
    expect(body.error).toMatchObject({ type: 'invalid_request_error' });
    expect(body.error.message).toMatch(/^events\.0\.content\./);
    expect(body.error.message.replace('events.0.content.', '')).toMatch(message);
    expect(status).toBe(400);
    expect(await copiesOf(session)).toEqual([]);
  });

  it('are refused when no window of the model holds the text, or Bedrock takes less', async () => {
    const text = await file('a'.repeat(1_200_001));
    const small = await made('claude-haiku-4-5-20251001');
    const of = (agent: object, ...content: readonly object[]) =>
      api.ask('POST', '/v1/sessions', { ...agent, initial_events: [message(...content)] });
    expect((await of(small, document(text))).body.error.message).toBe(
      'initial_events.0.content.0.source.file_id: the text is larger than the window of claude-haiku-4-5-20251001, which has 200000 tokens',
    );
    expect((await of(parts, document(text))).status).toBe(200);
    const bedrock = await made('us.anthropic.claude-opus-5');
    const pdf = await file(Buffer.concat([PDF, Buffer.alloc(11_000_000)]));
    const pages = await file(
      Buffer.concat([PDF, ...many(101, (index) => Buffer.from(`${index} 0 obj <</Type/Page>> `))]),
    );
    expect((await of(small, document(pages))).body.error.message).toMatch(/PDFs of one request have at most 100 pages/);
    expect((await of(parts, ...many(5, () => document(pages)))).status).toBe(200);
    expect((await of(parts, ...many(6, () => document(pages)))).body.error.message).toMatch(
      /^initial_events\.0\.content\.5\..*at most 600 pages together/,
    );
    expect((await of(bedrock, document(pdf))).body.error.message).toMatch(/at most 10500000 bytes together$/);
    expect((await of(parts, document(pdf))).status).toBe(200);
  });

  it('are refused after they expired', async () => {
    const whole = new Uint8Array(Buffer.from('x'));
    const kind = { filename: 'a', mime_type: 'text/plain', size_bytes: 1, scope: null, downloadable: false };
    const stored = await storeFile(api.world, { workspace: WORKSPACE, ...kind, expiresInSeconds: -1 }, whole);
    const { body } = await create(message(document(stored.file.id)));
    expect(body.error.message).toBe('initial_events.0.content.0.source.file_id: the file has expired');
  });

  it('are kept while the session is, also when they are deleted, and no longer', async () => {
    const id = await file(png(10, 10));
    const { body: session } = await create(message({ type: 'text', text: 'Look.' }, image(id), image(id)));
    expect(session.status).toBe('running');
    const [copy, ...others] = await copiesOf(session.id);
    expect(others).toEqual([]);
    expect(copy?.file).toMatchObject({ scope: { type: 'session', id: session.id }, expires_at: null });
    await api.ask('DELETE', `/v1/files/${id}`);
    await sweep('2100-01-01T00:00:00.000Z');
    const { blob = '' } = copy ?? {};
    expect(api.world.blobs.kept.has(blob)).toBe(true);
    const head = await api.world.log.head(keyOf(session.id));
    if (head === null) throw new Error('the session has no log');
    await change(api.world, keyOf(session.id), head, { do: 'give up', cause: 'attempts', taken: [] });
    expect((await api.ask('DELETE', `/v1/sessions/${session.id}`)).status).toBe(200);
    await sweep('2100-01-01T00:00:00.000Z');
    expect(api.world.blobs.kept.has(blob)).toBe(false);
  });

  it('leave nothing when their event is refused, or the process dies before it is accepted', async () => {
    const id = await file(png(11, 13));
    const archived = await api.session();
    await api.ask('POST', `/v1/sessions/${archived}/archive`);
    expect((await send(archived, image(id))).status).toBe(400);
    expect(await copiesOf(archived)).toEqual([]);
    const { create: lost } = api.world.sessions;
    api.world.sessions.create = () => Promise.reject(new Error('the process dies here'));
    const died = await create(message(image(id)));
    api.world.sessions.create = lost;
    expect(died.status).toBe(500);
    await api.ask('DELETE', `/v1/files/${id}`);
    await sweep('2100-01-01T00:00:00.000Z');
    // The first look finds the copies, and the next one what they were copies of.
    await sweep('2100-01-02T00:00:00.000Z');
    expect([...api.world.blobs.kept.values()].some((bytes) => Buffer.from(bytes).equals(png(11, 13)))).toBe(false);
  });

  it('go with their session when the process dies before the event is in a live session’s log', async () => {
    const id = await file(png(17, 19));
    const session = await api.session();
    const { append } = api.world.log;
    api.world.log.append = () => Promise.reject(new Error('the process dies here'));
    const died = await send(session, image(id));
    api.world.log.append = append;
    expect(died.status).toBe(500);
    await api.ask('DELETE', `/v1/files/${id}`);
    await sweep('2100-01-01T00:00:00.000Z');
    const isKept = () => [...api.world.blobs.kept.values()].some((bytes) => Buffer.from(bytes).equals(png(17, 19)));
    // The session might have the event after all, for example when only the answer of its log was lost.
    expect(isKept()).toBe(true);
    await api.ask('DELETE', `/v1/sessions/${session}`);
    await sweep('2100-01-02T00:00:00.000Z');
    expect(isKept()).toBe(false);
  });

  it.each<[string, number, (session: string, id: string) => Promise<{ readonly status: number }>]>([
    ['a message', 23, (session, id) => send(session, image(id))],
    [
      'a resource',
      29,
      (session, id) => api.ask('POST', `/v1/sessions/${session}/resources`, { type: 'file', file_id: id }),
    ],
  ])('leave nothing when the session is deleted before it has %s', async (_, side, attach) => {
    const id = await file(png(side, 1));
    const session = await api.session();
    const { copy } = api.world.files;
    api.world.files.copy = async (...given) => {
      api.world.files.copy = copy;
      await api.ask('DELETE', `/v1/sessions/${session}`);
      await sweep(new Date().toISOString());
      return copy(...given);
    };
    expect((await attach(session, id)).status).toBeGreaterThanOrEqual(400);
    await api.ask('DELETE', `/v1/files/${id}`);
    await sweep('2100-01-01T00:00:00.000Z');
    await sweep('2100-01-02T00:00:00.000Z');
    const isKept = [...api.world.blobs.kept.values()].some((bytes) => Buffer.from(bytes).equals(png(side, 1)));
    expect(isKept).toBe(false);
  });

  it('of another workspace’s session are not even looked for', async () => {
    const id = await file('x');
    const session = await api.session();
    const events = [message(document(id))];
    const { status } = await api.ask('POST', `/v1/sessions/${session}/events`, { events }, stranger);
    expect(status).toBe(404);
  });
});
