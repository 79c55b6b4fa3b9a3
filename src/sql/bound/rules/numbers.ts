import type { Refusal, Rule, Site, Taken, Write } from '../rule.js'
import type { BoundType } from '../tree.js'

const exact: readonly Taken[] = ['integer', 'hugeint', 'decimal']

const shapeOf = (type: BoundType) => (type.id === 'decimal' ? type : { precision: 38, scale: 0 })

/** Zero of the type of a call's first argument. */
const zero = ({ args, target }: Site) => {
  const [first] = args
  return `CAST(0 AS ${first && target.type(first.type)})`
}

const infix =
  (operator: string): Write =>
  ([a, b]) =>
    `(${a} ${operator} ${b})`

/** Sums and products of decimals: only where the engine keeps all digits behind the point. */
function arithmetic(operator: '+' | '-' | '*'): Write {
  return ([a, b], site) => {
    const [left, right] = site.args.map(({ type }) => shapeOf(type)) as [Shape, Shape]
    const scale = operator === '*' ? left.scale + right.scale : Math.max(left.scale, right.scale)
    const whole = Math.max(left.precision - left.scale, right.precision - right.scale)
    const precision = operator === '*' ? left.precision + right.precision + 1 : whole + scale + 1
    const wanted = shapeOf(site.type).scale
    if (site.target.scaleOf(precision, scale) !== wanted || scale > 38)
      throw {
        refused: `rounds what ${operator} gives for DECIMAL(${left.precision},${left.scale}) and DECIMAL(${right.precision},${right.scale})`,
        hint: 'Cast both sides to decimals with fewer digits first',
      } satisfies Refusal
    return `(${a} ${operator} ${b})`
  }
}

interface Shape {
  precision: number
  scale: number
}

/** Spark's own minus and abs() keep 34 digits of a decimal. */
const negative: Write = ([a = ''], site) => {
  if (site.target.name === 'trino') return `(- ${a})`
  const [arg] = site.args as [Site['args'][0]]
  return arithmetic('-')([zero(site), a], { ...site, args: [arg, arg] })
}

const absolute: Write = ([a = ''], site) =>
  site.target.name === 'trino'
    ? `abs(${a})`
    : `CASE WHEN ${a} < ${zero(site)} THEN ${negative([a], site)} ELSE ${a} END`

/** Whole numbers, rounded towards zero; NULL where the divisor is zero. */
const quotient: Write = ([a, b], site) => {
  const divisor = `nullif(${b}, ${zero(site)})`
  // Both engines round a quotient of decimals: what is left over goes first.
  if (site.args[0]?.type.id === 'hugeint') return `((${a} - ${a} % ${divisor}) / ${divisor})`
  return `(${a} ${site.target.name === 'spark' ? 'DIV' : '/'} ${divisor})`
}

const remainder: Write = ([a, b], site) => `(${a} % nullif(${b}, ${zero(site)}))`

const byClass = (name: string, classes: readonly Taken[], count: number, write: Write): Rule[] =>
  classes.map((one) => ({
    name,
    takes: Array.from({ length: count }, () => one),
    ...(name === '%' || name === 'mod' || name === '//' ? { alike: true } : {}),
    trino: write,
    spark: write,
  }))

/** What is written as a cast to a type with fewer digits: all engines round half away from zero. */
const rounded: Write = ([a]) => a as string

const toward =
  (up: string, down: string): Write =>
  ([a], site) =>
    `CASE WHEN ${a} < ${zero(site)} THEN ${up}(${a}) ELSE ${down}(${a}) END`

const signed: Write = ([a], site) => {
  const isDouble = site.args[0]?.type.id === 'double'
  const none = isDouble ? '0' : zero(site)
  // Of what is no number there is no sign; for Spark it is the greatest.
  const nan = isDouble && site.target.name === 'spark' ? `WHEN isnan(${a}) THEN 0 ` : ''
  return `CASE ${nan}WHEN ${a} > ${none} THEN 1 WHEN ${a} < ${none} THEN -1 WHEN ${a} IS NOT NULL THEN 0 END`
}

const ieee = ['+', '-', '*'].map(
  (name): Rule => ({
    name,
    takes: ['double', 'double'],
    trino: infix(name),
    spark: infix(name),
    typed: true,
  }),
)

export const numbers: readonly Rule[] = [
  ...(['+', '-', '*'] as const).flatMap((name) => [
    ...byClass(name, ['integer'], 2, infix(name)),
    ...byClass(name, ['hugeint', 'decimal'], 2, arithmetic(name)),
  ]),
  ...ieee,
  {
    name: '/',
    takes: ['double', 'double'],
    trino: infix('/'),
    spark: { refused: 'fails where the divisor is zero' },
    typed: true,
  },
  ...byClass('-', ['integer'], 1, ([a]) => `(- ${a})`),
  ...byClass('-', ['hugeint', 'decimal'], 1, negative),
  ...byClass('//', ['integer', 'hugeint'], 2, quotient),
  ...['%', 'mod'].flatMap((name) => byClass(name, exact, 2, remainder)),
  ...byClass('abs', ['integer'], 1, ([a]) => `abs(${a})`),
  ...byClass('abs', ['hugeint', 'decimal'], 1, absolute),
  ...byClass('sign', [...exact, 'double'], 1, signed),
  { name: 'round', takes: ['decimal'], trino: rounded, spark: rounded },
  { name: 'round', takes: ['decimal', 'count'], trino: rounded, spark: rounded },
  ...['floor', 'ceil', 'ceiling'].flatMap((name) =>
    byClass(name, ['decimal'], 1, ([a]) => `${name === 'floor' ? 'floor' : 'ceil'}(${a})`),
  ),
  ...byClass('trunc', ['decimal'], 1, toward('ceil', 'floor')),
]
