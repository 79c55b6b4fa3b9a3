import { arrayOf, BIGINT, BOOLEAN, common, isInteger, isText, VARCHAR } from '../types.js'
import { comparable, compared, isToldApart, distinct as toldApart } from '../write/compare.js'
import { failsWhen, once, repeatable, stopsWhen, type Written } from '../write/written.js'
import { element, lambdaAt, plainly } from './lambdas.js'
import { call, type Functions, firstType, type Signature, type Site } from './signature.js'

/** Whether elements of any kind meet a condition: NULL where none does, but one is not known. */
const matching = (write: (values: string) => string): Signature[] => [
  {
    takes: ['array', 'lambda'],
    returns: BOOLEAN,
    write: ([a], site) => {
      const { sql } = lambdaAt(site, 1, [element(site.args)])
      return once({ m: { sql: `list_transform(${a}, ${sql})` } }, ({ m = '' }) => write(m))
    },
  },
]

const has = (m: string, value: boolean) =>
  `len(list_filter(${m}, lambda "m b": "m b" = ${value})) > 0`
const hasNull = (m: string) => `len(list_filter(${m}, lambda "m n": "m n" IS NULL)) > 0`

/** The greatest or least element, which is NULL where one is NULL. */
const extreme = (engine: string): Signature[] => [
  {
    takes: ['array'],
    returns: element,
    write: ([a = ''], { args }) =>
      once(
        { a: plainly(args, 0, a) },
        ({ a = '' }) => `CASE WHEN NOT (${hasNull(a)}) THEN ${engine}(${a}) END`,
      ),
  },
]

const sequence: Signature = {
  takes: ['integer', 'integer', 'count'],
  least: 2,
  returns: arrayOf(BIGINT),
  write: ([a = '', b = '', step = '1'], { args }) =>
    once(
      { a: plainly(args, 0, a), b: plainly(args, 1, b) },
      ({ a, b }) =>
        // Trino refuses longer ones.
        `CASE ${failsWhen(`${b} < ${a}`, 'sequence stop value should be greater than or equal to start value')} ${failsWhen(`(${b} - ${a}) // ${step} >= 10000`, 'result of sequence function must not have more than 10000 entries')} ELSE generate_series(CAST(${a} AS BIGINT), CAST(${b} AS BIGINT), ${step}) END`,
    ),
}

/** Dates or moments that are some whole days apart. */
const days = (name: 'date' | 'timestamp'): Signature => ({
  takes: [name, name, 'interval of days'],
  least: name === 'date' ? 2 : 3,
  returns: ([a]) => a?.type && arrayOf(a.type),
  write: ([a = '', b = '', step = "INTERVAL '1' DAY"], { args }) =>
    once(
      { a: plainly(args, 0, a), b: plainly(args, 1, b), s: plainly(args, 2, step) },
      ({ a, b, s }) => {
        const [seconds, apart] = [`epoch(${s})`, `(epoch(${b}) - epoch(${a}))`]
        const all = `generate_series(CAST(${a} AS TIMESTAMP), CAST(${b} AS TIMESTAMP), ${s})`
        const found = name === 'date' ? `CAST(${all} AS DATE[])` : all
        return `CASE ${failsWhen(`${seconds} = 0`, 'sequence step interval must not be zero')} ${failsWhen(`${apart} * ${seconds} < 0`, 'sequence stop value should be greater than or equal to start value')} ${failsWhen(`abs(${apart}) / abs(${seconds}) >= 10000`, 'result of sequence function must not have more than 10000 entries')} ELSE ${found} END`
      },
    ),
})

const bothTypes: Signature['returns'] = ([a, b]) => common(a?.type, b?.type)

/** @throws for arrays of two types, of which the engine would cast one. */
function alikeOr(site: Site): void {
  const {
    args: [a, b],
    node,
    refused,
  } = site
  toldApart(a?.type, node.at, site)
  if (!common(a?.type, b?.type)) throw refused(`${node.name} takes arrays of one type`)
}

/** Whether the element `b` is in another array, as it may be NULL. */
const isIn = (array: string) =>
  `CASE WHEN "m b" IS NULL THEN ${hasNull(array)} ELSE list_contains(${array}, "m b") END`

/** The elements in the places in which they are first. */
const distinct = (a: string, isPlain: boolean) =>
  once(
    { a: { sql: a, isPlain } },
    ({ a }) =>
      `list_filter(${a}, lambda "m b", "m i": CASE WHEN "m b" IS NULL THEN NOT (${hasNull(`list_slice(${a}, 1, "m i" - 1)`)}) ELSE list_position(${a}, "m b") = "m i" END)`,
  )

const ifNone = (values: readonly (string | undefined)[], sql: string) =>
  `CASE WHEN ${values.map((one) => `${one} IS NULL`).join(' OR ')} THEN NULL ELSE ${sql} END`

/**
 * How a value is looked for that is not equal to each that the engine takes it for. It is written
 * with what says of each element 2 where it is the value, 1 where that is not known, and 0.
 */
function soughtOwn(site: Site, write: (found: Found) => string): string | undefined {
  const { args, node } = site
  const [a, x] = args as [Written, Written]
  const of: Written = { sql: '"m b"', type: a.type?.of?.[0], at: a.at, isPlain: true }
  if (!isToldApart(of, x)) return undefined
  comparable(of, x, node.at, site)
  const { items: _, ...whole } = x
  return repeatable([a, whole], ([{ sql: all = '' } = {}, value]) => {
    const isSame = compared(of, '=', value as Written)
    const each = `list_transform(${all}, lambda "m b": CASE WHEN "m b" IS NULL THEN 0 ELSE coalesce(2 * CAST(${isSame} AS INTEGER), 1) END)`
    const none = `${all} IS NULL OR ${value?.sql} IS NULL`
    const why = `${node.name} does not support arrays with elements that are null or contain null`
    // Not even TRY makes NULL of that.
    const unsure = (what: string) => (of.type?.of ? stopsWhen(what, why) : '')
    return `CASE WHEN ${none} THEN NULL ${write({ all, each, isSame, unsure })} END`
  })
}

interface Found {
  all: string
  each: string
  isSame: string
  unsure: (what: string) => string
}

/** What is first of each element that is, or may be, what is looked for. */
const firstOf = (each: string) => `list_filter(${each}, lambda "m f": "m f" > 0)[1]`

const containsOwn = ({ all, each, unsure }: Found) =>
  `${unsure(`${firstOf(each)} = 1`)} WHEN ${firstOf(each)} = 2 THEN true WHEN ${hasNull(all)} THEN NULL ELSE false`

const positionOwn = ({ each, unsure }: Found) =>
  `${unsure(`${firstOf(each)} = 1`)} ELSE CAST(coalesce(list_position(${each}, 2), 0) AS BIGINT)`

const removeOwn = ({ all, each, isSame, unsure }: Found) =>
  `${unsure(`list_contains(${each}, 1)`)} ELSE list_filter(${all}, lambda "m b": "m b" IS NULL OR NOT ${isSame})`

export const arrays: Functions = {
  cardinality: [
    { takes: ['array'], returns: BIGINT, write: call('len') },
    { takes: ['map'], returns: BIGINT, write: ([a]) => `CAST(cardinality(${a}) AS BIGINT)` },
  ],
  element_at: [
    {
      takes: ['array', 'integer'],
      returns: element,
      write: ([a = '', i = ''], { args }) =>
        once(
          { a: plainly(args, 0, a), i: plainly(args, 1, i) },
          ({ a, i }) =>
            `CASE ${failsWhen(`${i} = 0`, 'SQL array indices start at 1')} ELSE ${a}[${i}] END`,
        ),
    },
    {
      takes: ['map', 'any'],
      returns: ([m]) => m?.type?.of?.[1],
      write: ([m, k]) => `(${m})[${k}]`,
    },
  ],
  contains: [
    {
      takes: ['array', 'any'],
      returns: BOOLEAN,
      write: ([a = '', x = ''], site) =>
        soughtOwn(site, containsOwn) ??
        once(
          { a: plainly(site.args, 0, a), x: plainly(site.args, 1, x) },
          ({ a = '', x }) =>
            `CASE WHEN ${x} IS NULL OR ${a} IS NULL THEN NULL WHEN list_contains(${a}, ${x}) THEN true WHEN ${hasNull(a)} THEN NULL ELSE false END`,
        ),
    },
  ],
  array_position: [
    {
      takes: ['array', 'any'],
      returns: BIGINT,
      write: ([a = '', x = ''], site) =>
        soughtOwn(site, positionOwn) ??
        once(
          { a: plainly(site.args, 0, a), x: plainly(site.args, 1, x) },
          ({ a, x }) =>
            `CASE WHEN ${a} IS NOT NULL AND ${x} IS NOT NULL THEN CAST(coalesce(list_position(${a}, ${x}), 0) AS BIGINT) END`,
        ),
    },
  ],
  array_join: [
    {
      takes: ['array', 'word'],
      returns: VARCHAR,
      write: ([a, b], { args, refused }) => {
        const of = element(args)
        if (!of || !(isText(of) || isInteger(of)))
          throw refused('array_join is for texts and integers')
        return `CASE WHEN ${a} IS NOT NULL THEN coalesce(array_to_string(${a}, ${b}), '') END`
      },
    },
  ],
  array_sort: [
    {
      takes: ['array'],
      returns: firstType,
      write: ([a]) => `list_sort(${a}, 'ASC', 'NULLS LAST')`,
    },
  ],
  array_max: extreme('list_max'),
  array_min: extreme('list_min'),
  flatten: [{ takes: ['array'], returns: element, write: call('flatten') }],
  slice: [
    {
      takes: ['array', 'count', 'count'],
      returns: firstType,
      write: ([a, from, length], { refused }) => {
        if (Number(from) === 0) throw refused('SQL array indices start at 1')
        return `list_slice(${a}, ${from}, ${Number(from) + Number(length) - 1})`
      },
    },
  ],
  sequence: [sequence, days('date'), days('timestamp')],
  filter: [
    {
      takes: ['array', 'lambda'],
      returns: firstType,
      write: ([a], site) => `list_filter(${a}, ${lambdaAt(site, 1, [element(site.args)]).sql})`,
    },
  ],
  transform: [
    {
      takes: ['array', 'lambda'],
      returns: (args, site) => {
        const { type } = lambdaAt(site, 1, [element(args)])
        return type && arrayOf(type)
      },
      write: ([a], site) => `list_transform(${a}, ${lambdaAt(site, 1, [element(site.args)]).sql})`,
    },
  ],
  any_match: matching(
    (m) =>
      `CASE WHEN ${m} IS NULL THEN NULL WHEN ${has(m, true)} THEN true WHEN ${hasNull(m)} THEN NULL ELSE false END`,
  ),
  all_match: matching(
    (m) =>
      `CASE WHEN ${m} IS NULL THEN NULL WHEN ${has(m, false)} THEN false WHEN ${hasNull(m)} THEN NULL ELSE true END`,
  ),
  none_match: matching(
    (m) =>
      `CASE WHEN ${m} IS NULL THEN NULL WHEN ${has(m, true)} THEN false WHEN ${hasNull(m)} THEN NULL ELSE true END`,
  ),
  array_distinct: [
    {
      takes: ['array'],
      returns: firstType,
      write: ([a = ''], site) => {
        const [of] = site.args
        toldApart(of?.type, site.node.at, site)
        return distinct(a, of?.isPlain ?? false)
      },
    },
  ],
  array_remove: [
    {
      takes: ['array', 'any'],
      returns: firstType,
      write: ([a = '', x = ''], site) =>
        soughtOwn(site, removeOwn) ??
        once({ a: plainly(site.args, 0, a), x: plainly(site.args, 1, x) }, ({ a, x }) =>
          ifNone([x], `list_filter(${a}, lambda "m b": "m b" IS NULL OR "m b" <> ${x})`),
        ),
    },
  ],
  array_union: [
    {
      takes: ['array', 'array'],
      returns: bothTypes,
      write: ([a, b], site) => {
        alikeOr(site)
        return `CASE WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN ${distinct(`list_concat(${a}, ${b})`, false)} END`
      },
    },
  ],
  array_except: [
    {
      takes: ['array', 'array'],
      returns: firstType,
      write: ([a = '', b = ''], site) => {
        alikeOr(site)
        return once(
          { a: plainly(site.args, 0, a), b: plainly(site.args, 1, b) },
          ({ a = '', b = '' }) => {
            const left = `list_filter(${distinct(a, true)}, lambda "m b": NOT (${isIn(b)}))`
            // Less nothing, an array keeps what it has twice.
            return `CASE WHEN len(${b}) = 0 THEN ${a} ELSE ${ifNone([b], left)} END`
          },
        )
      },
    },
  ],
  // In the order of the longer one.
  array_intersect: [
    {
      takes: ['array', 'array'],
      returns: bothTypes,
      write: ([a = '', b = ''], site) => {
        alikeOr(site)
        return once(
          { a: plainly(site.args, 0, a), b: plainly(site.args, 1, b) },
          ({ a = '', b = '' }) => {
            const [long, short] = [`len(${a}) < len(${b})`, `len(${a}) >= len(${b})`].map(
              (isOther) => `(CASE WHEN ${isOther} THEN ${b} ELSE ${a} END)`,
            ) as [string, string]
            return ifNone(
              [a, b],
              `list_filter(${distinct(long, true)}, lambda "m b": ${isIn(short)})`,
            )
          },
        )
      },
    },
  ],
  arrays_overlap: [
    {
      takes: ['array', 'array'],
      returns: BOOLEAN,
      write: ([a = '', b = ''], site) => {
        alikeOr(site)
        return once(
          { a: plainly(site.args, 0, a), b: plainly(site.args, 1, b) },
          ({ a = '', b = '' }) =>
            `CASE WHEN ${a} IS NULL OR ${b} IS NULL THEN NULL WHEN list_has_any(${a}, ${b}) THEN true WHEN len(${a}) > 0 AND len(${b}) > 0 AND (${hasNull(a)} OR ${hasNull(b)}) THEN NULL ELSE false END`,
        )
      },
    },
  ],
  repeat: [
    {
      takes: ['any', 'integer'],
      returns: ([x]) => x?.type && arrayOf(x.type),
      write: ([x = '', n = ''], { args }) =>
        once(
          { x: plainly(args, 0, x), n: plainly(args, 1, n) },
          ({ x, n }) =>
            `CASE ${failsWhen(`${n} > 10000`, 'count argument of repeat function must be less than or equal to 10000')} ELSE list_transform(range(greatest(CAST(${n} AS BIGINT), 0)), lambda "m b": ${x}) END`,
        ),
    },
  ],
}
