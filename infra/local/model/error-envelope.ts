/** The API's error body; in a stream it is the data of an `error` event. */
export function errorEnvelope({ type, message }: { readonly type: string; readonly message: string }) {
  return { type: 'error', error: { type, message }, request_id: null } as const;
}
