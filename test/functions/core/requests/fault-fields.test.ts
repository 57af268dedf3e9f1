import { describe, expect, it } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import { faultFields } from '#core/requests/fault-fields.ts';

describe('the log fields of a fault', () => {
  it('name the class, the cause and the place', () => {
    const cause = Object.assign(new Error('no statement allows it'), { name: 'AccessDeniedException' });
    expect(faultFields(new Fault('records_unavailable', 'the records did not answer', { cause }))).toEqual({
      error_class: 'records_unavailable',
      error_cause: 'AccessDeniedException',
      error_place: expect.stringMatching(/fault-fields\.test\.ts:\d+:\d+/),
    });
  });

  it('hold the detail that a fault carries for the log', () => {
    const fault = new Fault('login_unavailable', 'canary', { detail: 'idp.example.com is blocked' });
    expect(faultFields(fault)).toMatchObject({ error_detail: 'idp.example.com is blocked' });
    expect(JSON.stringify(faultFields(fault))).not.toContain('canary');
  });

  it('quote no message, not even one that looks like a stack', () => {
    const fields = faultFields(new TypeError('canary\n    at canary (canary.ts:1:1)'));
    expect(JSON.stringify(fields)).not.toContain('canary');
  });

  it('are made also of a thrown value that is not an error', () => {
    expect(faultFields('canary')).toEqual({ error_class: 'unknown' });
  });
});
