import type { Site } from './signature.js'

/** Letters of MySQL's formats, and of the engine's. */
const MYSQL: Readonly<Record<string, string>> = {
  a: '%a',
  b: '%b',
  c: '%-m',
  d: '%d',
  e: '%-d',
  f: '%f',
  H: '%H',
  h: '%I',
  I: '%I',
  i: '%M',
  j: '%j',
  k: '%-H',
  l: '%-I',
  M: '%B',
  m: '%m',
  p: '%p',
  r: '%I:%M:%S %p',
  S: '%S',
  s: '%S',
  T: '%H:%M:%S',
  W: '%A',
  Y: '%Y',
  y: '%y',
  '%': '%%',
}

/** A format of `date_format` and `date_parse`. */
export function fromMysql({ args, refused }: Site, index: number, isRead = false): string {
  const format = args[index]?.word ?? ''
  // What is read by a name or without zeros, engines take more or less of.
  const strict = isRead ? 'abcefjkl%M%Wy'.replaceAll('%', '') : ''
  return format.replace(/%(.?)/gs, (whole, letter: string) => {
    const found =
      Object.hasOwn(MYSQL, letter) && !strict.includes(letter) ? MYSQL[letter] : undefined
    if (found === undefined) throw refused(`The format '${whole}' is not translated`)
    return found
  })
}

/** Letters of Java's formats, by how often they are written. */
const JODA: Readonly<Record<string, string>> = {
  yyyy: '%Y',
  YYYY: '%Y',
  MM: '%m',
  MMM: '%b',
  MMMM: '%B',
  M: '%-m',
  dd: '%d',
  d: '%-d',
  HH: '%H',
  H: '%-H',
  mm: '%M',
  ss: '%S',
  SSS: '%g',
  hh: '%I',
  h: '%-I',
  a: '%p',
  EEE: '%a',
  EEEE: '%A',
}

/** A format of `format_datetime`. */
export function fromJoda({ args, refused }: Site, index: number): string {
  const format = args[index]?.word ?? ''
  return format.replace(
    /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/gs,
    (whole, quoted?: string) => {
      if (quoted !== undefined)
        return quoted === '' ? "'" : quoted.replaceAll("''", "'").replaceAll('%', '%%')
      if (!/^[A-Za-z']/.test(whole)) return whole.replaceAll('%', '%%')
      const found = Object.hasOwn(JODA, whole) ? JODA[whole] : undefined
      if (found === undefined) throw refused(`The format '${whole}' is not translated`)
      return found
    },
  )
}
