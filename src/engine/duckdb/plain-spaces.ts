/** Spaces that the parser takes for plain ones, outside of quotes and comments. */
const SPACES = /[\u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]/

/** What it leaves as it is; it does not know comments between marks, and quotes in them count. */
const QUOTED =
  /'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|--[^\n\r]*|\$([A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$[\s\S]*?(?:\$\1\$|$)/

const PARTS = new RegExp(`${QUOTED.source}|${SPACES.source}`, 'g')

/** The parser's "nowhere". */
const NOWHERE = '18446744073709551615'

/** Whether the parser may see another text than this one, in which everything has moved. */
export const hasOtherSpaces = (sql: string): boolean => SPACES.test(sql)

/** A text with plain spaces for others, and where an offset of it (bytes) was before. */
export function withPlainSpaces(sql: string): { text: string; before: (at: number) => number } {
  /** Offsets from which on it is that many bytes shorter. */
  const moved: { from: number; by: number }[] = [{ from: 0, by: 0 }]
  let [end, length, by] = [0, 0, 0]
  const text = sql.replace(PARTS, (found, _tag, start: number) => {
    if (found.length > 1 || !SPACES.test(found)) return found
    length += Buffer.byteLength(sql.slice(end, start)) + 1
    end = start + 1
    by += Buffer.byteLength(found) - 1
    moved.push({ from: length, by })
    return ' '
  })
  const before = (at: number) => {
    let [low, high] = [0, moved.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((moved[middle]?.from ?? 0) <= at) low = middle
      else high = middle
    }
    return at + (moved[low]?.by ?? 0)
  }
  return { text, before }
}

/**
 * What the parser says of a text, with other places in it.
 *
 * @param before `undefined` where they are not known: then nothing has one.
 */
export function placedIn(said: string, before: ((at: number) => number) | undefined): string {
  const place = (at: string) =>
    before && Number.isSafeInteger(Number(at)) ? String(before(Number(at))) : NOWHERE
  // In texts of JSON, quotes have a backslash before them.
  return said
    .replace(/"query_location":(\d+)/g, (_, at) => `"query_location":${place(at)}`)
    .replace(/^(\{"error":true.*),"position":"(\d+)"/, (_, start, at) =>
      before ? `${start},"position":"${place(at)}"` : start,
    )
}
