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
  v: '%V',
  W: '%A',
  x: '%G',
  Y: '%Y',
  y: '%y',
  '%': '%%',
}

/** A format of `date_format`. */
export const fromMysql = (site: Site, index: number): string => translated(site, index, '')

/**
 * Formats of `date_parse`, of which the first that fits is meant: Trino takes short and long names
 * of months, whichever is written. What else is read by a name or without zeros, engines take more
 * or less of.
 */
export function readFromMysql(site: Site, index: number): string[] {
  const format = translated(site, index, 'acejklvWxy')
  // Without one, engines take different ones.
  if (!/(?<!%)(?:%%)*%Y/.test(format)) throw site.refused('A format without %Y is not translated')
  const months = /(?<!%)((?:%%)*)%[bB]/g
  if (!months.test(format)) return [format]
  return ['%B', '%b'].map((one) => format.replace(months, `$1${one}`))
}

/** @param strict letters that are not translated. */
function translated({ args, refused }: Site, index: number, strict: string): string {
  const format = args[index]?.word ?? ''
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
  yy: '%y',
  xxxx: '%G',
  ww: '%V',
  DDD: '%j',
  D: '%-j',
  e: '%u',
  dd: '%d',
  d: '%-d',
  HH: '%H',
  H: '%-H',
  mm: '%M',
  ss: '%S',
  m: '%-M',
  s: '%-S',
  SSS: '%g',
  hh: '%I',
  h: '%-I',
  a: '%p',
  E: '%a',
  EE: '%a',
  EEE: '%a',
  EEEE: '%A',
}

/** Letters that are read alike by engines. */
const READ = ['yyyy', 'MM', 'M', 'dd', 'd', 'HH', 'H', 'mm', 'ss', 'SSS']

/** A format of `format_datetime`. */
export const fromJoda = (site: Site, index: number): string =>
  jodaIn(site, index, Object.keys(JODA))

/** A format of `parse_datetime`. */
export function readFromJoda(site: Site, index: number): string {
  const format = jodaIn(site, index, READ)
  // Without one, engines take different ones.
  if (!/(?<!%)(?:%%)*%Y/.test(format)) throw site.refused('A format without yyyy is not translated')
  return format
}

function jodaIn({ args, refused }: Site, index: number, letters: readonly string[]): string {
  const format = args[index]?.word ?? ''
  return format.replace(
    /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/gs,
    (whole, quoted?: string) => {
      if (quoted !== undefined)
        return quoted === '' ? "'" : quoted.replaceAll("''", "'").replaceAll('%', '%%')
      if (!/^[A-Za-z']/.test(whole)) return whole.replaceAll('%', '%%')
      const found = letters.includes(whole) ? JODA[whole] : undefined
      if (found === undefined) throw refused(`The format '${whole}' is not translated`)
      return found
    },
  )
}
