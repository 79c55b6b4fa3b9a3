import { BIGINT, BOOLEAN, DOUBLE, decimal, isInteger, type TrinoType } from '../types.js'
import { writeArithmetic } from '../write/arithmetic.js'
import { failsWhen, once, type Written } from '../write/written.js'
import { call, type Functions, firstType, type Signature, type Site } from './signature.js'

const asDouble = (name: string): Signature[] => [
  {
    takes: ['number'],
    returns: DOUBLE,
    write: ([a]) => `${name}(CAST(${a} AS DOUBLE))`,
  },
]

const NAN = `CAST('NaN' AS DOUBLE)`

/** A function that the engine has for some numbers alone, and Trino for all. */
const within = (name: string, others: (x: string) => string): Signature[] => [
  {
    takes: ['number'],
    returns: DOUBLE,
    write: ([a = ''], { args }) =>
      once(
        { x: { sql: `CAST(${a} AS DOUBLE)`, isPlain: args[0]?.isPlain ?? false } },
        ({ x = '' }) =>
          `CASE WHEN ${x} IS NULL THEN NULL WHEN isnan(${x}) THEN ${NAN} ${others(x)} ELSE ${name}(${x}) END`,
      ),
  },
]

const log = (x: string) =>
  `WHEN ${x} = 0 THEN CAST('-Infinity' AS DOUBLE) WHEN ${x} < 0 THEN ${NAN}`
const wave = (x: string) => `WHEN isinf(${x}) THEN ${NAN}`
const arc = (x: string) => `WHEN abs(${x}) > 1 THEN ${NAN}`

const whole = (type: TrinoType | undefined): TrinoType | undefined => {
  if (type?.name !== 'decimal') return type
  const { precision = 38, scale = 0 } = type
  return decimal(precision - scale + (scale > 0 ? 1 : 0), 0)
}

/** To a whole number, of the same type. */
const rounding = (name: string): Signature[] => [
  {
    takes: ['number'],
    returns: ([a]) => whole(a?.type),
    write: ([a], { args }) => (args[0]?.type && isInteger(args[0].type) ? `${a}` : `${name}(${a})`),
  },
]

const bitwise = (operator: string): Signature[] => [
  {
    takes: ['integer', 'integer'],
    returns: BIGINT,
    write: ([a, b]) =>
      operator === 'xor'
        ? `xor(CAST(${a} AS BIGINT), CAST(${b} AS BIGINT))`
        : `(CAST(${a} AS BIGINT) ${operator} CAST(${b} AS BIGINT))`,
  },
]

const power: Signature[] = [
  {
    takes: ['number', 'number'],
    returns: DOUBLE,
    write: ([a, b]) => `pow(CAST(${a} AS DOUBLE), CAST(${b} AS DOUBLE))`,
  },
]

const constant = (sql: string): Signature[] => [{ takes: [], returns: DOUBLE, write: () => sql }]

export const numbers: Functions = {
  abs: [{ takes: ['number'], returns: firstType, write: call('abs') }],
  ceil: rounding('ceil'),
  ceiling: rounding('ceil'),
  floor: rounding('floor'),
  truncate: [{ takes: ['double'], returns: DOUBLE, write: ([a]) => `trunc(CAST(${a} AS DOUBLE))` }],
  round: [
    {
      takes: ['number', 'count'],
      least: 1,
      returns: ([a, n]) => {
        if (a?.type?.name !== 'decimal') return a?.type
        const { precision = 38, scale = 0 } = a.type
        return n ? decimal(precision + 1, scale) : whole(a.type)
      },
      write: ([a, n], { args }) => {
        const type = args[0]?.type
        if (type && isInteger(type)) return `${a}`
        if (type?.name !== 'decimal' || n === undefined)
          return `round(${a}${n === undefined ? '' : `, ${n}`})`
        const { precision = 38, scale = 0 } = type
        return `CAST(round(${a}, ${n}) AS DECIMAL(${Math.min(38, precision + 1)}, ${scale}))`
      },
    },
  ],
  mod: [
    {
      takes: ['number', 'number'],
      returns: (_, site) => remainder(site).type,
      write: (_, site) => remainder(site).sql,
    },
  ],
  sign: [
    {
      takes: ['number'],
      returns: ([a]) => (a?.type?.name === 'decimal' ? decimal(1, 0) : a?.type),
      write: ([a], { args }) => {
        const type = args[0]?.type
        if (type?.name === 'double' || type?.name === 'real')
          return `CASE WHEN isnan(${a}) THEN ${a} ELSE CAST(sign(${a}) AS ${type.name === 'real' ? 'FLOAT' : 'DOUBLE'}) END`
        return `CAST(sign(${a}) AS ${type?.name === 'decimal' ? 'DECIMAL(1, 0)' : (type?.name ?? 'integer').toUpperCase()})`
      },
    },
  ],
  sqrt: within('sqrt', (x) => `WHEN ${x} < 0 THEN ${NAN}`),
  cbrt: asDouble('cbrt'),
  log: [
    {
      takes: ['number', 'number'],
      returns: DOUBLE,
      write: ([b = '', x = ''], { args }) =>
        once(
          {
            b: { sql: `CAST(${b} AS DOUBLE)`, isPlain: args[0]?.isPlain ?? false },
            x: { sql: `CAST(${x} AS DOUBLE)`, isPlain: args[1]?.isPlain ?? false },
          },
          ({ b = '', x = '' }) => {
            const ln = (one: string) =>
              `CASE WHEN isnan(${one}) THEN ${NAN} ${log(one)} ELSE ln(${one}) END`
            return `((${ln(x)}) / (${ln(b)}))`
          },
        ),
    },
  ],
  width_bucket: [
    {
      takes: ['number', 'number', 'number', 'integer'],
      returns: BIGINT,
      write: (given, { args }) => {
        const values = Object.fromEntries(
          given.map((sql, i) => [
            'xabn'[i] as string,
            {
              sql: `CAST(${sql} AS ${i === 3 ? 'BIGINT' : 'DOUBLE'})`,
              isPlain: args[i]?.isPlain ?? false,
            },
          ]),
        )
        return once(values, ({ x, a, b, n }) => {
          const isWrong = failsWhen(
            `${n} <= 0 OR isnan(${x}) OR NOT isfinite(${a}) OR NOT isfinite(${b}) OR ${a} = ${b}`,
            'width_bucket takes finite bounds that differ, and a number of buckets above 0',
          )
          const low = `least(${a}, ${b})`
          const high = `greatest(${a}, ${b})`
          const up = `CASE WHEN ${x} < ${low} THEN 0 WHEN ${x} >= ${high} THEN ${n} + 1 ELSE CAST(floor(${n} * (${x} - ${low}) / (${high} - ${low})) AS BIGINT) + 1 END`
          return `CASE WHEN ${x} IS NULL OR ${a} IS NULL OR ${b} IS NULL OR ${n} IS NULL THEN NULL ${isWrong} WHEN ${a} > ${b} THEN ${n} - (${up}) + 1 ELSE ${up} END`
        })
      },
    },
  ],
  exp: asDouble('exp'),
  ln: within('ln', log),
  log2: within('log2', log),
  log10: within('log10', log),
  power,
  pow: power,
  sin: within('sin', wave),
  cos: within('cos', wave),
  tan: within('tan', wave),
  asin: within('asin', arc),
  acos: within('acos', arc),
  atan: asDouble('atan'),
  atan2: [
    {
      ...(power[0] as Signature),
      write: ([a, b]) => `atan2(CAST(${a} AS DOUBLE), CAST(${b} AS DOUBLE))`,
    },
  ],
  radians: asDouble('radians'),
  degrees: asDouble('degrees'),
  pi: constant('pi()'),
  e: constant('exp(CAST(1 AS DOUBLE))'),
  nan: constant(NAN),
  infinity: constant(`CAST('Infinity' AS DOUBLE)`),
  is_nan: [{ takes: ['double'], returns: BOOLEAN, write: call('isnan') }],
  is_infinite: [{ takes: ['double'], returns: BOOLEAN, write: call('isinf') }],
  is_finite: [{ takes: ['double'], returns: BOOLEAN, write: call('isfinite') }],
  random: constant('random()'),
  rand: constant('random()'),
  bitwise_and: bitwise('&'),
  bitwise_or: bitwise('|'),
  bitwise_xor: bitwise('xor'),
  bitwise_not: [{ takes: ['integer'], returns: BIGINT, write: ([a]) => `(~CAST(${a} AS BIGINT))` }],
}

function remainder({ args, node }: Site) {
  return writeArithmetic('%', args as readonly [Written, Written], node.at, { statement: '' })
}
