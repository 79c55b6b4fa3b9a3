import { isRefusal, type Refusal, type Rule, type Site, takes } from './rule.js'
import { aggregates, castRule, functions, windows } from './rules/rules.js'
import type { Target } from './target.js'
import {
  type Aggregate,
  type BoundType,
  type Expression,
  NotPortable,
  type Offset,
  type Order,
  type Window,
} from './tree.js'
import { classOf, comparable, nameOf, same } from './types.js'
import { isOfYears, isTime, ofYears } from './years.js'

const COMPUTE = 'Let DuckDB compute this dataset'

/** Functions that give days and times of those that they are given. */
const counting = new Set(functions.flatMap(({ name, counts }) => (counts ? [name] : [])))

/** Writes expressions over columns that have names. */
export class ExpressionWriter {
  /**
   * @param columns SQL of the columns, by their numbers.
   * @param mayBeOutside whether days and times among them may be of years that engines count
   *   otherwise.
   */
  constructor(
    private readonly target: Target,
    private readonly columns: readonly string[],
    private readonly mayBeOutside: boolean,
  ) {}

  write(expression: Expression): string {
    const { target } = this
    switch (expression.is) {
      case 'column':
        return this.columns[expression.index] as string
      case 'constant': {
        const { value, type } = expression
        if (value !== null) return target.constant(value, type)
        return type.id === 'null' ? 'NULL' : `CAST(NULL AS ${typeIn(target, type, expression.at)})`
      }
      case 'interval':
        return expression.amount
      case 'cast':
        return this.cast(this.write(expression.of), expression.of, expression.type, expression.at)
      case 'case': {
        const when = expression.when.map(
          ({ condition, value }) => `WHEN ${this.write(condition)} THEN ${this.write(value)}`,
        )
        return `CASE ${when.join(' ')} ELSE ${this.write(expression.otherwise)} END`
      }
      case 'call':
        return this.call(functions, expression.name, expression)
    }
  }

  /** A value of another type: of a column that is stored as one. */
  cast(written: string, of: Expression, type: BoundType, at: Offset): string {
    const rule = castRule(of.type, type)
    const what = `a cast of ${nameOf(of.type)} to ${nameOf(type)}`
    const value = same(of.type, type)
      ? written
      : this.counted(written, of, classOf(type) === 'text')
    return this.apply(rule, [value], { args: [of], type, target: this.target, at }, what)
  }

  /**
   * A day or a time to count with, or to write as a text: also one of years that others were
   * counted to.
   */
  private counted(written: string, of: Expression | undefined, asText = false): string {
    if (!of || !isTime(of.type) || of.is === 'constant') return written
    const isHeld = !asText && (!this.mayBeOutside || isOfYears(of, counting))
    return isHeld ? written : ofYears(written, of.type, this.target)
  }

  aggregate(one: Aggregate): string {
    const { name, distinct } = one
    this.sameOnAll(distinct ? one.args : [], `${name}(DISTINCT …)`)
    const args = this.filtered(one)
    return typeof args === 'string' ? args : this.call(aggregates, name, one, args)
  }

  /**
   * The arguments of an aggregate over the rows of its FILTER; SQL of all of it where it has none.
   */
  private filtered({ name, args, filter }: Pick<Aggregate, 'name' | 'args' | 'filter'>) {
    const condition = filter && this.write(filter)
    const values = args.map((arg) => this.summed(name, arg))
    if (!condition) return values
    if (values.length === 0) return `count(CASE WHEN ${condition} THEN 1 END)`
    return values.map((value) => `CASE WHEN ${condition} THEN ${value} END`)
  }

  /** Sums of whole numbers are of 38 digits. */
  private summed(name: string, arg: Expression): string {
    const value = this.write(arg)
    if (name !== 'sum' || classOf(arg.type) !== 'integer') return value
    return `CAST(${value} AS ${this.target.type({ id: 'hugeint' })})`
  }

  window(one: Window): string {
    const places = windows.some(({ name }) => name === one.name)
    if (one.distinct) throw this.refusal(`${one.name}(DISTINCT …) over a window`, '', one.at)
    const args = one.args.map((arg) => this.write(arg))
    const over = this.over(one)
    const uncast = places ? this.bare(windows, one.name, one, args) : this.bareAggregate(one)
    return this.typed(`${uncast} OVER (${over})`, one.type, one.at)
  }

  private bareAggregate(one: Window): string {
    const args = this.filtered(one)
    return typeof args === 'string' ? args : this.bare(aggregates, one.name, one, args)
  }

  private over({ partitions, orders, frame, name }: Window): string {
    this.sameOnAll(partitions, `${name}() with PARTITION BY`)
    const by = partitions.map((one) => this.write(one)).join(', ')
    return [
      ...(by ? [`PARTITION BY ${by}`] : []),
      ...(orders.length > 0 ? [`ORDER BY ${this.orders(orders)}`] : []),
      ...(frame ? [frame] : []),
    ].join(' ')
  }

  orders(orders: readonly Order[]): string {
    this.sameOnAll(
      orders.map(({ by }) => by),
      'ORDER BY',
    )
    return orders
      .map(({ by, descending, nullsFirst }) => {
        const direction = descending ? 'DESC' : 'ASC'
        return `${this.write(by)} ${direction} NULLS ${nullsFirst ? 'FIRST' : 'LAST'}`
      })
      .join(', ')
  }

  /** Refuses what engines sort and group in other ways: doubles, and values they can't compare. */
  sameOnAll(expressions: readonly Expression[], what: string): void {
    const other = expressions.find(({ type }) => !comparable.has(classOf(type)))
    if (!other) return
    throw this.refusal(
      `${what} of ${nameOf(other.type)}`,
      'Engines compare its values in other ways; keep the column as a decimal or a text',
      other.at,
    )
  }

  private call(
    rules: readonly Rule[],
    name: string,
    site: Omit<Site, 'target'>,
    args = site.args.map((arg) => this.write(arg)),
  ): string {
    const rule = this.find(rules, name, site)
    const written = this.bare(rules, name, site, args)
    return rule.typed ? written : this.typed(written, site.type, site.at)
  }

  private bare(
    rules: readonly Rule[],
    name: string,
    { args: given, type, at, distinct }: Omit<Site, 'target'>,
    args: readonly string[],
  ): string {
    const rule = this.find(rules, name, { args: given, type, at })
    const site = { args: given, type, at, distinct, target: this.target }
    const values = rule.counts ? args.map((arg, i) => this.counted(arg, given[i])) : args
    return this.apply(rule[this.target.name], values, site, signature(name, given))
  }

  private find(rules: readonly Rule[], name: string, { args, at }: Omit<Site, 'target'>): Rule {
    const rule = rules.find((one) => one.name === name && takes(one, args))
    if (rule) return rule
    throw this.refusal(signature(name, args), COMPUTE, at)
  }

  private apply(rule: Rule['trino'], args: readonly string[], site: Site, what: string): string {
    try {
      if (isRefusal(rule)) throw rule
      return rule(args, site)
    } catch (error) {
      if (error instanceof Error) throw error
      const { refused, hint } = error as Refusal
      throw new NotPortable(
        `${what}: ${this.target.title} ${refused}`,
        hint ?? COMPUTE,
        site.at ?? site.args.find(({ at }) => at !== undefined)?.at,
        wordOf(what),
      )
    }
  }

  private refusal(what: string, hint: string, at: Offset): NotPortable {
    return new NotPortable(
      `${what} is not known to give the same on ${this.target.title}`,
      hint || COMPUTE,
      at,
      wordOf(what),
    )
  }

  private typed(written: string, type: BoundType, at: Offset): string {
    return `CAST(${written} AS ${typeIn(this.target, type, at)})`
  }
}

function typeIn(target: Target, type: BoundType, at: Offset): string {
  const name = target.type(type)
  if (name !== undefined) return name
  throw new NotPortable(
    `A value of type ${nameOf(type)} can't be made on ${target.title}`,
    COMPUTE,
    at,
  )
}

/** The name that something begins with, if it does with one. */
const wordOf = (what: string) => /^([a-z]\w*)\(/.exec(what)?.[1]

/** A call as people read it: `round(DECIMAL(12,2), INTEGER)`. */
function signature(name: string, args: readonly Expression[]): string {
  const types = args.map(({ type }) => nameOf(type))
  if (args.length === 2 && /^\W+$/.test(name)) return types.join(` ${name} `)
  return /^[a-z]+ /.test(name) ? `${types[0]} ${name}` : `${name}(${types.join(', ')})`
}
