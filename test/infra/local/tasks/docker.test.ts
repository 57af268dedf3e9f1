import { expect, test } from 'vitest';
import { START_SERVER } from '#contract/hands.ts';
import { imageOf, runArguments } from '../../../../infra/local/tasks/docker.ts';
import { createTaskFixture, PORT } from './fixture.ts';

const identity = { name: 'brainstem-t1', data: '/data' };

test('a Docker sandbox gets no network, no capabilities, the task’s limits and a socket in the task’s folder', async () => {
  const fixture = await createTaskFixture();
  const start = await fixture.start('127.99.3.1', { SANDBOX_TOKEN_SHA256: 'ab' });
  await fixture.close();
  const line = runArguments(start, identity).join(' ');
  expect(line).toContain('--network none --cap-drop ALL --security-opt no-new-privileges');
  expect(line).toContain('--memory 1024m --cpus 0.5 --pids-limit 1024');
  expect(line).toContain('--read-only');
  expect(line).toContain('--label brainstem.data=/data');
  expect(line).toContain(`--mount type=bind,source=${start.taskDir}/run,target=/run/brainstem`);
  expect(line).toContain('--env SANDBOX_TOKEN_SHA256=ab --env SANDBOX_LISTEN=/run/brainstem/server.sock');
  expect(line).not.toContain('--user');
  expect(line).toMatch(/ brainstem-sandbox:0a1b$/);
});

test('a Docker sandbox begins as the task definition says, with what its command needs to change the user', async () => {
  const fixture = await createTaskFixture();
  const start = await fixture.start('127.99.3.2');
  await fixture.close();
  const container = { ...start.container, user: '0:0', command: START_SERVER };
  const line = runArguments({ ...start, container }, identity).join(' ');
  expect(line).toContain('--cap-drop ALL --cap-add SETUID --cap-add SETGID --cap-add SETPCAP --cap-add KILL');
  expect(line).toContain('--user 0:0');
  expect(line).toMatch(
    / brainstem-sandbox:0a1b setpriv --reuid=1001 .* env SANDBOX_CHANGES_USER=yes node --disable-sigusr1 \/opt\/brainstem\/server.mjs$/,
  );
});

test('a Docker task in a subnet with a route to the internet gets no network, and a proxy for the hosts of its VPC', async () => {
  const fixture = await createTaskFixture();
  const start = await fixture.start('127.99.3.3', {}, { hosts: ['pypi.org'] });
  await fixture.close();
  const line = runArguments(start, identity).join(' ');
  expect(line).toContain('--network none --cap-drop ALL');
  expect(line).toContain('--env HTTPS_PROXY=http://127.0.0.1:3128');
  expect(line).toMatch(/ brainstem-sandbox:0a1b node \/opt\/brainstem\/relay\.mts/);
});

test('a Docker task in a public subnet has the network of this machine, and listens at its own address', async () => {
  const fixture = await createTaskFixture();
  const start = await fixture.start('127.99.3.4', {}, 'machine');
  await fixture.close();
  const line = runArguments(start, identity).join(' ');
  expect(line).toContain('--network host --cap-drop ALL');
  expect(line).toContain(`--env EGRESS_LISTEN=127.99.3.4:${PORT}`);
});

test('a Docker sandbox from which routes lead to tasks gets no network, and a relay in its program', async () => {
  const fixture = await createTaskFixture();
  const start = await fixture.start('127.99.3.5', {}, { ports: [3129], dial: () => null });
  await fixture.close();
  const container = { ...start.container, command: START_SERVER };
  const relay = '/opt/brainstem/peer-relay.mjs';
  for (const one of [start, { ...start, container }]) {
    const line = runArguments(one, identity).join(' ');
    expect(line).toContain('--network none --cap-drop ALL');
    expect(line).toContain(`source=${start.taskDir}/etc/peer-relay.mjs,target=${relay},readonly`);
    expect(line).toMatch(
      / node (--disable-sigusr1 )?--import file:.*peer-relay.mjs\?port=3129 \/opt\/brainstem\/server.mjs$/,
    );
  }
});

test('each stage of one Dockerfile is an image of its own', () => {
  const image = { image: 'sandbox:1', imageDir: '/out/asset.0a1b' };
  expect(imageOf({ ...image, imageTarget: 'packages' })).toBe('brainstem-packages:0a1b');
  expect(imageOf({ ...image, imageTarget: 'sandbox' })).toBe('brainstem-sandbox:0a1b');
});

test('an image without a build folder is used by its name', () => {
  expect(imageOf({ image: 'registry/image:1', imageDir: null })).toBe('registry/image:1');
});
