/** What the model's provider does not take of PDFs, as far as it can be told without reading their pages. */

/** `/Encrypt 5 0 R` or `/Encrypt << … >>` of a trailer, which is never compressed. */
const ENCRYPTED = /\/Encrypt\s{0,4}(?:\d{1,10}\s{1,4}\d{1,5}\s{1,4}R|<<)/;

export function pdfFault(bytes: Uint8Array): string | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return ENCRYPTED.test(text) ? 'the PDF is encrypted, and the model’s provider takes none with a password' : null;
}
