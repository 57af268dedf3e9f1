import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openObjects, type Objects } from '#infra/local/aws/s3/objects.ts';
import { bash, calling, echo } from '#test/journeys/scripts.ts';
import { ofType, startService, types, type Event, type Service } from '#test/journeys/service.ts';

describe('a session', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: echo });
  });
  afterAll(async () => service.close());

  async function until(session: string, work: () => Promise<unknown>): Promise<readonly string[]> {
    const stream = await service.client.beta.sessions.events.stream(session);
    await work();
    const seen: string[] = [];
    for await (const event of stream) seen.push(event.type);
    return seen;
  }

  /** The files of the bucket for content. */
  function bucket(): Objects {
    const dir = join(service.data, 's3');
    const [name = '', ...others] = readdirSync(dir).filter((bucket) => bucket.includes('content'));
    expect(others).toEqual([]);
    return openObjects(join(dir, name));
  }

  it('that is archived is terminated on the stream, which ends, and stays readable', async () => {
    const session = await service.session();
    await service.converse(session, 'hi');
    const seen = await until(session, () => service.client.beta.sessions.archive(session));
    expect(seen.at(-1)).toBe('session.status_terminated');
    const archived = await service.client.beta.sessions.retrieve(session);
    expect(archived).toMatchObject({ status: 'terminated', archived_at: expect.any(String) });
    expect((await service.events(session)).length).toBeGreaterThan(5);
    expect(await service.client.beta.sessions.archive(session)).toEqual(archived);
  });

  it('that is deleted sends the event to open streams, and is then not found by any request', async () => {
    const session = await service.session();
    await service.send(session, 'x'.repeat(250_000));
    await service.idle(session);
    const content = bucket();
    expect(content.list(`${session}/`)).not.toEqual([]);
    // An object without an item, as a crash between the two leaves it.
    const lost = { body: Buffer.from('[]'), headers: {} };
    expect(content.write(`${session}/${session.replace('sesn', 'sthr')}/9-lost.json`, lost, true)).not.toBeNull();
    const { sessions } = service.client.beta;
    const seen = await until(session, async () => {
      expect(await sessions.delete(session)).toEqual({ id: session, type: 'session_deleted' });
    });
    expect(seen.at(-1)).toBe('session.deleted');
    expect(content.list(`${session}/`)).toEqual([]);
    await expect(sessions.retrieve(session)).rejects.toMatchObject({ status: 404 });
    await expect(sessions.events.list(session)).rejects.toMatchObject({ status: 404 });
    const listed: string[] = [];
    for await (const other of sessions.list()) listed.push(other.id);
    expect(listed).not.toContain(session);
  });

  it('that is deleted loses its sandbox and the processes in it', async () => {
    service.standIn.script(calling(bash('sleep 300 & echo started')));
    const session = await service.session();
    await service.converse(session, 'go');
    const { sandboxes } = service;
    expect(sandboxes()).toHaveLength(1);
    await service.client.beta.sessions.delete(session);
    await expect.poll(sandboxes).toEqual([]);
    service.standIn.script(echo);
  });

  it('is neither archived nor deleted while it runs', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    service.standIn.script(() => ({ text: ['a', 'b'], hold: released }));
    const session = await service.session();
    await service.send(session, 'hi');
    await expect(service.client.beta.sessions.archive(session)).rejects.toMatchObject({ status: 400 });
    await expect(service.client.beta.sessions.delete(session)).rejects.toMatchObject({ status: 400 });
    release();
    await service.idle(session);
    service.standIn.script(echo);
  });

  it('ends its turn with an error that the client reads when the model provider refuses for good', async () => {
    service.standIn.script(() => ({ error: { status: 400, type: 'invalid_request_error', message: 'no' } }));
    const session = await service.session();
    const seen: readonly Event[] = await service.converse(session, 'hi');
    expect(ofType(seen, 'session.error').at(-1)?.error).toMatchObject({
      type: 'model_request_failed_error',
      retry_status: { type: 'exhausted' },
    });
    expect(ofType(seen, 'session.status_idle')[0]?.stop_reason).toEqual({ type: 'retries_exhausted' });
    service.standIn.script(echo);
    expect(types(await service.converse(session, 'better now?'))).toContain('agent.message');
  });

  it('is rescheduled and continues when the provider is overloaded', async () => {
    let asked = 0;
    service.standIn.script((request, index) => {
      asked += 1;
      return asked === 1 ? { error: { status: 529, type: 'overloaded_error', message: 'busy' } } : echo(request, index);
    });
    const session = await service.session();
    const seen = await service.converse(session, 'hi');
    expect(types(seen)).toEqual(
      expect.arrayContaining([
        'session.error',
        'session.thread_status_rescheduled',
        'session.status_rescheduled',
        'agent.message',
      ]),
    );
    expect(ofType(seen, 'session.error')[0]?.error.retry_status).toEqual({ type: 'retrying' });
    expect(ofType(seen, 'session.status_running')).toHaveLength(2);
  });

  it('is described at /openapi.json, with every operation of the contract', async () => {
    const response = await fetch(`${service.runtime.baseUrl}/openapi.json`);
    const document = (await response.json()) as { openapi: string; paths: Record<string, unknown> };
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1/agents',
        '/v1/sessions/{session_id}/events',
        '/v1/sessions/{session_id}/events/stream',
      ]),
    );
  });
});
