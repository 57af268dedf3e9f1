/** The header with which a client authenticates by its secret (`client_secret_basic`). */
export function basicAuthorization(clientId: string, clientSecret: string): string {
  return `Basic ${btoa(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`)}`;
}

/** RFC 6749 §2.3.1: each half is encoded as in a form, so that neither can hold the colon between them. */
function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice('v='.length);
}
