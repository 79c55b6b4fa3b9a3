import { arrayOf, BIGINT, BOOLEAN, isInteger, isText, VARBINARY, VARCHAR } from '../types.js'
import { text } from '../write/scope.js'
import { failsWhen, once, type Written } from '../write/written.js'
import { beforeNewline, groupsIn, patternIn, replacementIn } from './patterns.js'
import { call, type Functions, firstType, type Signature, type Site } from './signature.js'

/** Characters that Trino trims. */
const SPACES = [
  ...[9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004],
  ...[0x2005, 0x2006, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x205f, 0x3000],
]
const spaces = text(String.fromCodePoint(...SPACES))

const ofText = (name: string, returns = VARCHAR): Signature[] => [
  { takes: ['text'], returns, write: call(name) },
]

const trimmed = (name: string): Signature[] => [
  {
    takes: ['text', 'text'],
    least: 1,
    returns: VARCHAR,
    write: ([a, chars = spaces]) => `${name}(${a}, ${chars})`,
  },
]

/** `format('%s: %d', …)`, of what Java and the engine write alike. */
const format: Signature = {
  takes: ['word', 'any'],
  more: true,
  least: 1,
  returns: VARCHAR,
  write: ([, ...values], { args, refused }) => {
    const pattern = args[0]?.word ?? ''
    const found = [...pattern.matchAll(/%(?:%|(0?\d*)([sd])|(.?))/gs)]
    const items = found.filter(([whole]) => whole !== '%%')
    const isKnown = items.every(([, width, kind], i) => {
      const type = args[i + 1]?.type
      if (kind === 's') return width === '' && type && (isText(type) || isInteger(type))
      return kind === 'd' && type && isInteger(type)
    })
    if (!isKnown || items.length !== values.length)
      throw refused(
        `The format '${pattern}' is not translated for these values`,
        'It may have %s for texts and %d or %05d for integers, one for each value.',
      )
    const cast = values.map((one, i) =>
      items[i]?.[2] === 'd' ? `CAST(${one} AS BIGINT)` : `CAST(${one} AS VARCHAR)`,
    )
    const shown = values.length === 0 ? [] : cast
    const none = shown.map((one) => `${one} IS NULL`).join(' OR ')
    const sql = `printf(${[text(pattern), ...shown].join(', ')})`
    return none === '' ? sql : `CASE ${failsWhen(none, 'format of NULL')} ELSE ${sql} END`
  },
}

/** From a place on that counts from 1, or from the end; 0 is no place. */
const part: Signature[] = [
  {
    takes: ['text', 'integer', 'integer'],
    least: 2,
    returns: VARCHAR,
    write: ([s = '', from = '', length], { args }) => {
      const [a, b, c] = args
      const values = {
        s: { sql: s, isPlain: a?.isPlain ?? false },
        i: { sql: from, isPlain: b?.isPlain ?? false },
        ...(length === undefined ? {} : { n: { sql: length, isPlain: c?.isPlain ?? false } }),
      }
      return once(values, ({ s, i, n }) => {
        const empty = [
          `${i} = 0`,
          `abs(CAST(${i} AS BIGINT)) > length(${s})`,
          ...(n ? [`${n} <= 0`] : []),
        ]
        return `CASE WHEN ${s} IS NULL OR ${i} IS NULL${n ? ` OR ${n} IS NULL` : ''} THEN NULL WHEN ${empty.join(' OR ')} THEN '' ELSE substr(${s}, ${i}${n ? `, ${n}` : ''}) END`
      })
    },
  },
]

const padded = (name: string): Signature[] => [
  {
    takes: ['text', 'count', 'word'],
    returns: VARCHAR,
    write: (args, { args: [, , padding], refused }) => {
      if (padding?.word === '') throw refused(`${name} needs a text to pad with`)
      return `${name}(${args.join(', ')})`
    },
  },
]

const hash = (name: string): Signature[] => [
  { takes: ['varbinary'], returns: VARBINARY, write: ([a]) => `unhex(${name}(${a}))` },
]

/** What is done with a delimiter, which is not empty: engines differ for that, and for NULL. */
function parted({ args, node, refused }: Site, write: (delimiter: string) => string): string {
  const [, given] = args as [Written, Written]
  const why = `The delimiter of ${node.name} is empty`
  if (given.word === '') throw refused(why)
  if (given.word !== undefined) return write(given.sql)
  const sql = given.isPlain ? given.sql : `(${given.sql})`
  return `CASE WHEN ${sql} IS NULL THEN NULL ${failsWhen(`${sql} = ''`, why)} ELSE ${write(sql)} END`
}

export const texts: Functions = {
  length: [
    ...ofText('length', BIGINT),
    { takes: ['varbinary'], returns: BIGINT, write: call('octet_length') },
  ],
  lower: ofText('lower'),
  upper: [
    {
      takes: ['text'],
      returns: VARCHAR,
      // The engine would make another letter of ß.
      write: ([a]) =>
        `array_to_string(list_transform(string_split(${a}, 'ß'), lambda "m p": upper("m p")), 'ß')`,
    },
  ],
  trim: trimmed('trim'),
  ltrim: trimmed('ltrim'),
  rtrim: trimmed('rtrim'),
  reverse: [
    {
      takes: ['text'],
      returns: VARCHAR,
      write: ([a]) => `array_to_string(list_reverse(regexp_extract_all(${a}, '(?s).')), '')`,
    },
    { takes: ['array'], returns: firstType, write: call('list_reverse') },
  ],
  format: [format],
  concat_ws: [
    {
      takes: ['text', 'text'],
      more: true,
      returns: VARCHAR,
      write: call('concat_ws'),
    },
  ],
  translate: [{ takes: ['text', 'word', 'word'], returns: VARCHAR, write: call('translate') }],
  substr: part,
  substring: part,
  lpad: padded('lpad'),
  rpad: padded('rpad'),
  strpos: [{ takes: ['text', 'text'], returns: BIGINT, write: call('strpos') }],
  starts_with: [{ takes: ['text', 'text'], returns: BOOLEAN, write: call('starts_with') }],
  replace: [
    {
      takes: ['text', 'text', 'text'],
      least: 2,
      returns: VARCHAR,
      write: ([a, , c = "''"], site) => parted(site, (d) => `replace(${a}, ${d}, ${c})`),
    },
  ],
  concat: [
    {
      takes: ['text', 'text'],
      more: true,
      returns: VARCHAR,
      write: (args) => `(${args.join(' || ')})`,
    },
    {
      takes: ['array', 'array'],
      returns: ([a]) => a?.type,
      write: ([a, b]) =>
        `CASE WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN list_concat(${a}, ${b}) END`,
    },
  ],
  split: [
    {
      takes: ['text', 'text'],
      returns: arrayOf(VARCHAR),
      write: ([a], site) => parted(site, (d) => `string_split(${a}, ${d})`),
    },
  ],
  split_part: [
    {
      takes: ['text', 'text', 'integer'],
      returns: VARCHAR,
      write: ([a, , n = ''], site) => {
        const index = { sql: n, isPlain: site.args[2]?.isPlain ?? false }
        return parted(site, (d) =>
          once(
            { n: index, d: { sql: d }, a: { sql: a as string } },
            ({ a, d, n }) =>
              `CASE ${failsWhen(`${n} < 1`, 'Index must be greater than zero')} ELSE string_split(${a}, ${d})[${n}] END`,
          ),
        )
      },
    },
  ],
  chr: [{ takes: ['integer'], returns: VARCHAR, write: ([a]) => `chr(CAST(${a} AS INTEGER))` }],
  regexp_like: [
    {
      takes: ['text', 'word'],
      returns: BOOLEAN,
      write: ([a], site) => `regexp_matches(${a}, ${patternIn(site, 'like')})`,
    },
  ],
  regexp_extract: [
    {
      takes: ['text', 'word', 'count'],
      least: 2,
      returns: VARCHAR,
      write: ([a, , n = '0'], site) => {
        const isGroup = Number(n) > 0
        if (Number(n) > groupsIn(site))
          throw site.refused(`Pattern has ${groupsIn(site)} groups. Cannot access group ${n}`)
        const pattern = patternIn(site, isGroup ? 'group' : 'whole')
        const found = `CASE WHEN regexp_matches(${a}, ${pattern}) THEN regexp_extract(${a}, ${pattern}, ${n}) END`
        return isGroup ? found : beforeNewline(site, found)
      },
    },
  ],
  regexp_extract_all: [
    {
      takes: ['text', 'word'],
      returns: arrayOf(VARCHAR),
      write: ([a], site) =>
        beforeNewline(site, `regexp_extract_all(${a}, ${patternIn(site, 'whole')})`),
    },
  ],
  regexp_split: [
    {
      takes: ['text', 'word'],
      returns: arrayOf(VARCHAR),
      write: ([a], site) =>
        beforeNewline(site, `regexp_split_to_array(${a}, ${patternIn(site, 'parts')})`),
    },
  ],
  regexp_count: [
    {
      takes: ['text', 'word'],
      returns: BIGINT,
      write: ([a], site) =>
        beforeNewline(site, `len(regexp_extract_all(${a}, ${patternIn(site, 'whole')}))`),
    },
  ],
  regexp_replace: [
    {
      takes: ['text', 'word', 'word'],
      least: 2,
      returns: VARCHAR,
      write: ([a], site) => {
        const by = replacementIn(site)
        const pattern = patternIn(site, by === "''" ? 'whole' : 'parts')
        return beforeNewline(site, `regexp_replace(${a}, ${pattern}, ${by}, 'g')`)
      },
    },
  ],
  to_utf8: [{ takes: ['text'], returns: VARBINARY, write: call('encode') }],
  from_utf8: [{ takes: ['varbinary'], returns: VARCHAR, write: call('decode') }],
  to_hex: [{ takes: ['varbinary'], returns: VARCHAR, write: call('hex') }],
  from_hex: [
    {
      takes: ['text'],
      returns: VARBINARY,
      write: ([a = ''], { args }) =>
        once(
          { a: { sql: a, isPlain: args[0]?.isPlain ?? false } },
          ({ a }) =>
            `CASE ${failsWhen(`NOT regexp_full_match(${a}, '([0-9a-fA-F]{2})*')`, 'Invalid hex character')} ELSE unhex(${a}) END`,
        ),
    },
  ],
  from_base64: [{ takes: ['text'], returns: VARBINARY, write: call('from_base64') }],
  to_base64: [{ takes: ['varbinary'], returns: VARCHAR, write: call('to_base64') }],
  md5: hash('md5'),
  sha1: hash('sha1'),
  sha256: hash('sha256'),
  uuid: [{ takes: [], returns: { name: 'uuid' }, write: () => 'gen_random_uuid()' }],
}
