import { countIn, type Refusal, type Rule, type Site, type Write, wordIn } from '../rule.js'

/** Parts of texts where one that is NULL counts as empty. */
const concatenated: Write = (args, { target }) =>
  `(${args.map((one) => `coalesce(${one}, ${target.text('')})`).join(' || ')})`

const count = (site: Site, index: number) => countIn(site.args[index]) as string

const slice: Write = ([a], site) => {
  const length = site.args[2] ? `, ${count(site, 2)}` : ''
  return `${site.target.name === 'spark' ? 'substring' : 'substr'}(${a}, ${count(site, 1)}${length})`
}

const first: Write = ([a], site) => `substring(${a}, 1, ${count(site, 1)})`

const last: Write = ([a], site) => {
  const n = count(site, 1)
  return `CASE WHEN length(${a}) <= ${n} THEN ${a} ELSE substring(${a}, -${n}) END`
}

/** A pattern, in which Spark would take `\` for an escape. */
const like =
  (not: string): Write =>
  ([a], site) => {
    const pattern = wordIn(site.args[1]) as string
    const { text, name } = site.target
    if (name === 'trino' || !pattern.includes('\\')) return `(${a} ${not}LIKE ${text(pattern)})`
    const unused = [...'~^|#!'].find((one) => !pattern.includes(one))
    if (unused === undefined) throw { refused: 'reads \\ in a pattern otherwise' } satisfies Refusal
    return `(${a} ${not}LIKE ${text(pattern)} ESCAPE ${text(unused)})`
  }

const call =
  (name: string): Write =>
  (args) =>
    `${name}(${args.join(', ')})`

const part = (names: readonly string[], trino: Write, spark: Write): Rule[] =>
  names.map((name) => ({ name, takes: ['text', 'text'], trino, spark }))

const folded = (name: string): Rule => ({
  name,
  takes: ['text'],
  trino: { refused: 'has other letters for some of Unicode' },
  spark: { refused: 'has other letters for some of Unicode' },
})

export const texts: readonly Rule[] = [
  {
    name: '||',
    takes: ['text', 'text'],
    trino: ([a, b]) => `(${a} || ${b})`,
    spark: ([a, b]) => `(${a} || ${b})`,
  },
  { name: 'concat', takes: ['text'], more: true, trino: concatenated, spark: concatenated },
  ...['length', 'len', 'char_length', 'character_length'].map(
    (name): Rule => ({ name, takes: ['text'], trino: call('length'), spark: call('length') }),
  ),
  ...['substr', 'substring'].flatMap((name): Rule[] => [
    { name, takes: ['text', 'place'], trino: slice, spark: slice },
    { name, takes: ['text', 'place', 'count'], trino: slice, spark: slice },
  ]),
  { name: 'left', takes: ['text', 'count'], trino: first, spark: first },
  { name: 'right', takes: ['text', 'place'], trino: last, spark: last },
  {
    name: 'replace',
    takes: ['text', 'word', 'text'],
    trino: call('replace'),
    spark: call('replace'),
  },
  ...part(['strpos', 'position', 'instr'], call('strpos'), call('instr')),
  ...part(['contains'], ([a, b]) => `(strpos(${a}, ${b}) > 0)`, call('contains')),
  ...part(['starts_with', 'prefix', '^@'], call('starts_with'), call('startswith')),
  ...part(
    ['ends_with', 'suffix'],
    ([a, b]) =>
      `(length(${b}) <= length(${a}) AND substr(${a}, length(${a}) - length(${b}) + 1) = ${b})`,
    call('endswith'),
  ),
  { name: '~~', takes: ['text', 'word'], trino: like(''), spark: like('') },
  { name: '!~~', takes: ['text', 'word'], trino: like('NOT '), spark: like('NOT ') },
  {
    name: 'md5',
    takes: ['text'],
    trino: ([a]) => `lower(to_hex(md5(to_utf8(${a}))))`,
    spark: call('md5'),
  },
  ...['lower', 'lcase', 'upper', 'ucase'].map(folded),
]
