import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startPool, type PoolFixture } from './fixture.ts';

let fixture: PoolFixture | null = null;

afterEach(async () => {
  await fixture?.close();
  fixture = null;
});

async function start(body: string, timeoutMs = 60_000): Promise<PoolFixture> {
  const code = `
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    export const handler = awslambda.streamifyResponse(async (event, stream, context) => { ${body} });`;
  fixture = await startPool({ stream: { code, timeoutMs } });
  return fixture;
}

const WITH_HEAD = `stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });`;

async function text(body: AsyncIterable<unknown>): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of body) chunks.push(String(chunk));
  return chunks.join('');
}

describe('a streamed Lambda response', () => {
  test('has its metadata with the first write, before the body is complete', async () => {
    const { pool, arn, folder } = await start(`${WITH_HEAD}
      const { existsSync } = await import('node:fs');
      stream.write('one'); while (!existsSync(event.gate)) await sleep(5); stream.write('two'); stream.end();`);
    const gate = join(folder, 'gate');
    const { metadata, body } = await pool.stream(arn('stream'), { gate });
    expect(metadata).toEqual({ statusCode: 201, headers: { a: 'b' } });
    await writeFile(gate, '');
    expect(await text(body)).toBe('onetwo');
  });

  test('may begin with an empty write, which only sends the metadata', async () => {
    const { pool, arn } = await start(`${WITH_HEAD} stream.write(''); await sleep(100); stream.end('x');`);
    const { body } = await pool.stream(arn('stream'), {});
    expect(await text(body)).toBe('x');
  });

  test('to which the function never writes is a failure, as in Lambda', async () => {
    const { pool, arn } = await start(`${WITH_HEAD} stream.end();`);
    await expect(pool.stream(arn('stream'), {})).rejects.toMatchObject({ name: 'Runtime.InvalidStreamingResponse' });
  });

  test('fails as a whole when the function fails before its first write', async () => {
    const { pool, arn } = await start(`throw new RangeError('early');`);
    await expect(pool.stream(arn('stream'), {})).rejects.toMatchObject({ name: 'RangeError' });
  });

  test('breaks off when the function fails after its first write', async () => {
    const { pool, arn } = await start(
      `${WITH_HEAD} stream.write('one'); await sleep(50); throw new RangeError('late');`,
    );
    const { body } = await pool.stream(arn('stream'), {});
    await expect(text(body)).rejects.toMatchObject({ name: 'RangeError' });
  });

  test('breaks off when the worker is killed', async () => {
    const { pool, arn } = await start(`${WITH_HEAD} stream.write('one'); await sleep(5000);`);
    const { body } = await pool.stream(arn('stream'), {});
    const reading = text(body);
    reading.catch(() => undefined);
    await pool.kill('stream');
    await expect(reading).rejects.toMatchObject({ name: 'Lambda.Unknown' });
  });

  test('is bounded by the function’s time', async () => {
    const { pool, arn } = await start(`${WITH_HEAD} stream.write('one'); await sleep(60_000);`, 2000);
    const { body } = await pool.stream(arn('stream'), {});
    await expect(text(body)).rejects.toMatchObject({ name: 'Sandbox.Timedout' });
  });

  test('makes the function wait for a slow reader', async () => {
    const { pool, arn, folder } = await start(`${WITH_HEAD}
      const chunk = 'x'.repeat(100_000);
      for (let n = 0; n < 50; n += 1) {
        console.log('written', n);
        if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve));
      }
      stream.end();`);
    const { body } = await pool.stream(arn('stream'), {});
    const log = join(folder, 'logs', 'stream.log');
    const written = async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').length - 1;
    await expect.poll(written).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await written()).toBeLessThan(10);
    expect((await text(body)).length).toBe(5_000_000);
  });
});

test.each(['before it writes', 'in the middle of a write'])(
  'a streaming function is told nothing when the reader leaves %s, and can write to the end',
  async (moment) => {
    const { pool, arn, folder } = await start(`${WITH_HEAD}
      for (const name of ['close', 'error']) stream.on(name, () => console.log(name, stream.writableFinished));
      stream.write('one');
      const { existsSync } = await import('node:fs');
      const filled = ${moment === 'in the middle of a write'};
      if (filled) stream.write('x'.repeat(1_000_000));
      while (!existsSync(event.gate)) await sleep(5);
      if (filled) await new Promise((resolve) => stream.writableNeedDrain ? stream.once('drain', resolve) : resolve());
      for (let n = 0; n < 20; n += 1) {
        if (!stream.write('y'.repeat(100_000))) await new Promise((resolve) => stream.once('drain', resolve));
      }
      console.log('written', stream.destroyed);
      stream.end();`);
    const gate = join(folder, 'gate');
    const { body } = await pool.stream(arn('stream'), { gate });
    body.destroy();
    await writeFile(gate, '');
    const log = (): Promise<string> => readFile(join(folder, 'logs', 'stream.log'), 'utf8').catch(() => '');
    await expect.poll(log).toBe('written false\nclose true\n');
    // Its worker is free again.
    const again = await pool.stream(arn('stream'), { gate });
    expect((await text(again.body)).length).toBeGreaterThan(2_000_000);
  },
);

test('a streaming function fails when it is invoked for a buffered response', async () => {
  const { pool, arn } = await start(`${WITH_HEAD} stream.write('x'); stream.end();`);
  await expect(pool.invoke(arn('stream'), {})).rejects.toMatchObject({ name: 'Runtime.InvalidStreamingResponse' });
});
