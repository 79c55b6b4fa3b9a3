const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [LIST, OBJECT, LIST_END, OBJECT_END] = [0x5b, 0x7b, 0x5d, 0x7d]

/**
 * Whether lists and objects of a JSON text lie in more than so many others: what walks through
 * them would use up its stack. It is looked at before the text is parsed.
 */
export function isDeeper(json: Uint8Array, most: number): boolean {
  let depth = 0
  let isText = false
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (isText) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) isText = false
    } else if (byte === QUOTE) isText = true
    else if (byte === LIST || byte === OBJECT) {
      if (++depth > most) return true
    } else if (byte === LIST_END || byte === OBJECT_END) depth--
  }
  return false
}
