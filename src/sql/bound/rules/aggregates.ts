import type { Refusal, Rule, Site, Taken, Write } from '../rule.js'

const call =
  (name: string): Write =>
  ([a], site) =>
    `${name}(${of(site)}${a})`

const of = ({ distinct }: Site) => (distinct ? 'DISTINCT ' : '')

const divide = 'Divide exactly: divide(sql`sum(…)`, sql`count(…)`, scale)'

const refused = (name: string, takes: readonly Taken[], refusal: Refusal): Rule => ({
  name,
  takes,
  trino: refusal,
  spark: refusal,
})

const counted: Write = ([a], site) => {
  const type = site.target.type({ id: 'hugeint' })
  return `sum(${of(site)}CAST(CASE WHEN ${a} THEN 1 WHEN NOT ${a} THEN 0 END AS ${type}))`
}

/**
 * Aggregate functions. What they are over is written by the caller: a CASE for FILTER.
 */
export const aggregates: readonly Rule[] = [
  ...['count_star', 'count'].map(
    (name): Rule => ({ name, takes: [], trino: () => 'count(*)', spark: () => 'count(*)' }),
  ),
  { name: 'count', takes: ['any'], trino: call('count'), spark: call('count') },
  // NULL where there is nothing to count.
  { name: 'count_if', takes: ['boolean'], trino: counted, spark: counted },
  ...(['integer', 'hugeint'] as const).map(
    (one): Rule => ({
      name: 'sum',
      takes: [one],
      trino: call('sum'),
      spark: call('sum'),
    }),
  ),
  { name: 'sum', takes: ['decimal'], trino: call('sum'), spark: call('sum') },
  refused('sum', ['double'], {
    refused: 'has a sum that depends on the order of rows',
    hint: 'Keep the column as a decimal',
  }),
  ...(['min', 'max'] as const).map(
    (name): Rule => ({
      name,
      takes: ['comparable'],
      trino: call(name),
      spark: call(name),
    }),
  ),
  ...(['bool_and', 'bool_or'] as const).map(
    (name): Rule => ({ name, takes: ['boolean'], trino: call(name), spark: call(name) }),
  ),
  ...['avg', 'mean'].flatMap((name) =>
    (['integer', 'hugeint', 'decimal', 'double'] as const).map((one) =>
      refused(name, [one], { refused: 'has another mean in the last digits', hint: divide }),
    ),
  ),
  ...['median', 'quantile_cont', 'quantile_disc', 'mode'].map((name) =>
    refused(name, ['any'], { refused: 'has no exact counterpart' }),
  ),
  ...['first', 'last', 'any_value', 'arbitrary'].map((name) =>
    refused(name, ['any'], {
      refused: 'takes another row',
      hint: 'Take the least or the greatest with min() or max()',
    }),
  ),
]

/** Functions of a row's place among others. */
export const windows: readonly Rule[] = [
  ...['row_number', 'rank', 'dense_rank'].map(
    (name): Rule => ({ name, takes: [], trino: () => `${name}()`, spark: () => `${name}()` }),
  ),
  { name: 'ntile', takes: ['place'], trino: numbered('ntile'), spark: numbered('ntile') },
  ...['lag', 'lead'].flatMap((name): Rule[] => [
    { name, takes: ['any'], trino: call(name), spark: call(name) },
    { name, takes: ['any', 'count'], trino: numbered(name), spark: numbered(name) },
    { name, takes: ['any', 'count', 'any'], trino: numbered(name), spark: numbered(name) },
  ]),
  ...['first_value', 'last_value'].map(
    (name): Rule => ({ name, takes: ['any'], trino: call(name), spark: call(name) }),
  ),
]

/** Counts are written as plain digits, as both engines want them. */
function numbered(name: string): Write {
  return (args, site) => {
    const at = name === 'ntile' ? 0 : 1
    const constant = site.args[at]
    const digits = constant?.is === 'constant' ? String(constant.value) : ''
    return `${name}(${args.map((arg, i) => (i === at ? digits : arg)).join(', ')})`
  }
}
