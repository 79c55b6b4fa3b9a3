import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  DOUBLE,
  decimal,
  isFloat,
  isInteger,
  type TrinoType,
  VARCHAR,
} from '../types.js'
import { quotient } from '../write/arithmetic.js'
import { asReal } from '../write/casts.js'
import { once } from '../write/written.js'
import { type Functions, firstType, type Signature, type Site } from './signature.js'

/** An aggregate that the engine has by a name. */
const plain =
  (name: string): Signature['write'] =>
  (args, { distinct, around }) =>
    around(`${name}(${distinct}${args.join(', ')})`)

const one = (takes: string, returns: Signature['returns'], name: string): Signature[] => [
  { takes: [takes], returns, write: plain(name) },
]

const sumType = (type: TrinoType | undefined): TrinoType | undefined => {
  if (!type) return undefined
  if (isInteger(type) || type.name === 'unknown') return BIGINT
  return isFloat(type) ? type : decimal(38, type.scale ?? 0)
}

function sum([a = '']: readonly string[], { args, distinct, around }: Site): string {
  const type = args[0]?.type
  const total = around(`sum(${distinct}${a})`)
  if (type && isInteger(type)) return `CAST(${total} AS BIGINT)`
  if (type?.name === 'unknown') return `CAST(${around('count(NULL)')} + NULL AS BIGINT)`
  return type?.name === 'real' ? asReal({ sql: total }) : total
}

function average([a = '']: readonly string[], { args, distinct, around }: Site): string {
  const type = args[0]?.type
  if (type?.name !== 'decimal') return around(`avg(${distinct}${a})`)
  const { precision = 38, scale = 0 } = type
  const [total, count] = ['sum', 'count'].map((name) => around(`${name}(${distinct}${a})`))
  const values = [{ sql: total as string }, { sql: `nullif(${count}, 0)` }] as const
  return quotient(values, [scale, 0], { name: 'decimal', precision, scale })
}

const numeric = (name: string, engine = name) => ({
  [name]: [
    {
      takes: ['number'],
      returns: DOUBLE,
      write: ([a], { distinct, around }) => around(`${engine}(${distinct}CAST(${a} AS DOUBLE))`),
    },
  ] satisfies Signature[],
})

const pairs = (name: string) => ({
  [name]: [
    {
      takes: ['number', 'number'],
      returns: DOUBLE,
      write: ([a, b], { around }) =>
        once(
          { x: { sql: around(`${name}(CAST(${a} AS DOUBLE), CAST(${b} AS DOUBLE))`) } },
          // Of one row, or of values that are all the same, there is none.
          ({ x }) => `CASE WHEN isfinite(${x}) THEN ${x} END`,
        ),
    },
  ] satisfies Signature[],
})

/** Of several values, where a number of them is asked for. */
const most = (engine: string): Signature => ({
  takes: ['any', 'count'],
  returns: ([a]) => a?.type && arrayOf(a.type),
  write: ([a, n], { around }) => around(`${engine}(${a}, ${n})`),
})

const by = (engine: string): Signature[] => [
  {
    takes: ['any', 'any'],
    returns: firstType,
    write: ([a, b], { around }) => around(`${engine}(${a}, ${b})`),
  },
]

export const aggregates: Functions = {
  count: [
    {
      takes: ['any'],
      least: 0,
      returns: BIGINT,
      write: ([a], { distinct, around }) =>
        around(a === undefined ? 'count(*)' : `count(${distinct}${a})`),
    },
  ],
  count_if: [
    {
      takes: ['boolean'],
      returns: BIGINT,
      write: ([a], { around }) => around(`count(CASE WHEN ${a} THEN 1 END)`),
    },
  ],
  sum: [{ takes: ['number'], returns: ([a]) => sumType(a?.type), write: sum }],
  avg: [
    {
      takes: ['number'],
      returns: ([a]) => (a?.type?.name === 'decimal' || a?.type?.name === 'real' ? a.type : DOUBLE),
      write: (sql, site) =>
        site.args[0]?.type?.name === 'real'
          ? `CAST(${average(sql, site)} AS FLOAT)`
          : average(sql, site),
    },
  ],
  min: [...one('any', firstType, 'min'), most('min')],
  max: [...one('any', firstType, 'max'), most('max')],
  min_by: by('arg_min_null'),
  max_by: by('arg_max_null'),
  any_value: one('any', firstType, 'any_value'),
  arbitrary: one('any', firstType, 'any_value'),
  bool_and: one('boolean', BOOLEAN, 'bool_and'),
  bool_or: one('boolean', BOOLEAN, 'bool_or'),
  every: one('boolean', BOOLEAN, 'bool_and'),
  array_agg: [
    {
      takes: ['any'],
      returns: ([a]) => a?.type && arrayOf(a.type),
      write: ([a], { distinct, orderBy, around }) => around(`list(${distinct}${a}${orderBy})`),
    },
  ],
  listagg: [
    {
      takes: ['text', 'word'],
      least: 1,
      returns: VARCHAR,
      write: ([a, separator = "''"], { distinct, orderBy, around, refused }) => {
        if (orderBy === '') throw refused('listagg needs WITHIN GROUP (ORDER BY …)')
        return around(`string_agg(${distinct}${a}, ${separator}${orderBy})`)
      },
    },
  ],
  // Better than the error that Trino allows itself, which is 2.3 %.
  approx_distinct: [
    {
      takes: ['any', 'number'],
      least: 1,
      returns: BIGINT,
      write: ([a], { around }) => around(`count(DISTINCT ${a})`),
    },
  ],
  approx_percentile: [
    {
      takes: ['number', 'number'],
      returns: firstType,
      write: ([a, p], { around, args, refused }) => {
        if (args[1]?.word === undefined)
          throw refused('approx_percentile needs a constant percentage')
        return around(`quantile_disc(${a}, CAST(${p} AS DOUBLE))`)
      },
    },
    {
      takes: ['number', 'array'],
      returns: ([a]) => a?.type && arrayOf(a.type),
      write: ([a, p], { around, args, refused }) => {
        if (!args[1]?.isPlain) throw refused('approx_percentile needs constant percentages')
        return around(`quantile_disc(${a}, CAST(${p} AS DOUBLE[]))`)
      },
    },
  ],
  // A key that is there twice fails, as Trino does not say which value it has.
  map_agg: [
    {
      takes: ['any', 'any'],
      returns: ([k, v]) => (k?.type && v?.type ? { name: 'map', of: [k.type, v.type] } : undefined),
      write: ([k, v], { around }) =>
        `map_from_entries(list_filter(${around(`list({'key': ${k}, 'value': ${v}})`)}, lambda "m e": "m e"."key" IS NOT NULL))`,
    },
  ],
  geometric_mean: [
    {
      takes: ['number'],
      returns: DOUBLE,
      write: ([a], { around }) => around(`geomean(CAST(${a} AS DOUBLE))`),
    },
  ],
  ...pairs('regr_slope'),
  ...pairs('regr_intercept'),
  bitwise_and_agg: one('integer', BIGINT, 'bit_and'),
  bitwise_or_agg: one('integer', BIGINT, 'bit_or'),
  ...numeric('stddev'),
  ...numeric('stddev_samp'),
  ...numeric('stddev_pop'),
  ...numeric('variance'),
  ...numeric('var_samp'),
  ...numeric('var_pop'),
  ...pairs('corr'),
  ...pairs('covar_pop'),
  ...pairs('covar_samp'),
  grouping: [
    {
      takes: ['any'],
      more: true,
      returns: BIGINT,
      write: (args) => `CAST(grouping(${args.join(', ')}) AS BIGINT)`,
    },
  ],
}
