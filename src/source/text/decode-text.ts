/**
 * Decodes texts of an encoding, each of them whole. Of windows-1252, which latin1 is another name
 * of, Node 20.18.3 and later read 0x80 to 0x9f (`€`, `„`, `–` …) as control characters, unless
 * the text comes as a stream (https://github.com/nodejs/node/issues/56542).
 *
 * @throws RangeError for a label that is no encoding; what it gives throws a TypeError for bytes
 *   that are no text of it, if `fatal` is set.
 */
export function textDecoder(
  label: string,
  options: { fatal?: boolean } = {},
): (bytes: Uint8Array) => string {
  const decoder = new TextDecoder(label, options)
  // Each of its bytes is a character: nothing of a text is kept for the next.
  const stream = decoder.encoding === 'windows-1252'
  return (bytes) => decoder.decode(bytes, { stream })
}
