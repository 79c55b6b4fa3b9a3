import type { ColumnType } from '../../define/types/column-type.js'
import { readPlan } from './read.js'
import { type Target, type TargetName, targets } from './target.js'
import { type BoundType, type JoinKind, NotPortable, type Operator } from './tree.js'
import { storedType } from './types.js'
import { ExpressionWriter } from './write-expression.js'
import { isTime } from './years.js'

/** A query for another engine: the SELECT that gives a dataset's rows. */
export interface Rendering {
  target: TargetName
  /** The dataset's columns, which the query has in this order or another. */
  columns: readonly { name: string; type: ColumnType }[]
  /** The columns that the bound query gives, by their places. */
  given: readonly string[]
  /** A table of the query in SQL of the engine. */
  table: (schema: string, name: string) => string
  /** Tells of columns that all of their days and times are of the years 1 to 9999. */
  isOfYears?: IsOfYears | undefined
}

export type IsOfYears = (schema: string, name: string, column: string) => boolean

/**
 * A bound query as SQL of another engine: every step has a name, every column a number, every value
 * a type.
 *
 * @param plan the JSON of `json_serialize_plan(…, optimize := false)`.
 * @throws NotPortable for the first thing that is not known to give the same there.
 */
export function renderPlan(plan: unknown, rendering: Rendering): string {
  const renderer = new Renderer(targets[rendering.target], rendering)
  const root = readPlan(plan)
  const from = renderer.step(root)
  return renderer.finish(root, from, rendering)
}

const column = (index: number) => `c${index}`

class Renderer {
  private readonly steps: string[] = []
  private readonly named = new Map<number, string>()
  /** Whether a table so far may have days or times that engines count otherwise. */
  private mayBeOutside = false

  constructor(
    private readonly target: Target,
    private readonly rendering: Pick<Rendering, 'table' | 'isOfYears'>,
  ) {}

  finish(root: Operator, from: string, { columns, given }: Rendering): string {
    const writer = this.over(root)
    const picked = columns.map(({ name, type }) => {
      const index = given.indexOf(name)
      const own = root.types[index] as BoundType
      const of = { is: 'column', index, type: own, at: undefined } as const
      const stored = storedType(type)
      const passed = own.id === 'other' && stored.id === 'other' && own.name === stored.name
      const value = passed ? column(index) : writer.cast(column(index), of, stored, undefined)
      return `${value} AS ${this.target.quote(name)}`
    })
    return `WITH ${this.steps.join(',\n')}\nSELECT ${picked.join(', ')} FROM ${from}`
  }

  /** Writes an operator as a step, and those below it before it; returns the step's name. */
  step(operator: Operator): string {
    switch (operator.is) {
      case 'table': {
        const from = this.rendering.table(operator.schema, operator.name)
        this.mayBeOutside ||= this.hasOthers(operator)
        const picked = operator.columns.map((name) =>
          name === undefined ? 'NULL' : this.target.quote(name),
        )
        return this.add(`SELECT ${this.list(picked)} FROM ${from}`)
      }
      case 'values':
        return this.values(operator)
      case 'project': {
        const { from, expressions } = operator
        return this.select(from, (writer) => expressions.map((one) => writer.write(one)))
      }
      case 'filter':
        return this.filter(operator)
      case 'aggregate':
        return this.aggregate(operator)
      case 'window': {
        const { from, windows } = operator
        return this.select(from, (writer) => [
          ...from.types.map((_, i) => column(i)),
          ...windows.map((one) => writer.window(one)),
        ])
      }
      case 'join':
        return operator.kind === 'MARK' ? this.mark(operator) : this.join(operator)
      case 'cross': {
        const [left, right] = [this.step(operator.left), this.step(operator.right)]
        const picked = this.list(sidesOf(operator))
        return this.add(`SELECT ${picked} FROM ${left} AS l CROSS JOIN ${right} AS r`)
      }
      case 'set':
        return this.set(operator)
      case 'distinct': {
        this.over(operator).sameOnAll(columnsOf(operator.types), 'DISTINCT')
        const picked = operator.types.map((_, i) => column(i))
        return this.add(`SELECT DISTINCT ${picked.join(', ')} FROM ${this.step(operator.from)}`)
      }
      case 'limit':
        return this.limit(operator)
      case 'with':
        this.named.set(operator.name, this.step(operator.definition))
        return this.step(operator.rest)
      case 'named':
        return this.named.get(operator.name) as string
    }
  }

  private add(query: string): string {
    const name = `s${this.steps.length + 1}`
    this.steps.push(`${name} AS (${query})`)
    return name
  }

  /** Values as columns with numbers; one must be there. */
  private list(values: readonly string[]): string {
    const all = values.length > 0 ? values : ['1']
    return all
      .map((value, i) => (value === column(i) ? value : `${value} AS ${column(i)}`))
      .join(', ')
  }

  private over({ types }: { types: readonly BoundType[] }): ExpressionWriter {
    return this.writer(types.map((_, i) => column(i)))
  }

  private writer(columns: readonly string[]): ExpressionWriter {
    return new ExpressionWriter(this.target, columns, this.mayBeOutside)
  }

  /** Whether a table may have days or times of years that engines count otherwise. */
  private hasOthers({ schema, name, columns, types }: Operator & { is: 'table' }): boolean {
    const { isOfYears = () => false } = this.rendering
    return columns.some(
      (one, i) =>
        one !== undefined && isTime(types[i] as BoundType) && !isOfYears(schema, name, one),
    )
  }

  private select(from: Operator, picked: (writer: ExpressionWriter) => string[]): string {
    const below = this.step(from)
    return this.add(`SELECT ${this.list(picked(this.over(from)))} FROM ${below}`)
  }

  private values({ rows, types }: Operator & { is: 'values' }): string {
    const writer = this.writer([])
    const written = rows.map((row) => {
      const values = this.list(row.map((one) => writer.write(one)))
      return `SELECT ${values}`
    })
    const queries = types.length === 0 ? ['SELECT 1 AS c0'] : written
    return this.add(queries.join(' UNION ALL '))
  }

  private filter({ from, conditions, kept }: Operator & { is: 'filter' }): string {
    const below = this.step(from)
    const writer = this.over(from)
    const all = conditions.map((one) => writer.write(one)).join(' AND ')
    return this.add(`SELECT ${this.list(kept.map(column))} FROM ${below} WHERE ${all}`)
  }

  private aggregate({ from, groups, aggregates }: Operator & { is: 'aggregate' }): string {
    const below = this.step(from)
    const writer = this.over(from)
    writer.sameOnAll(groups, 'GROUP BY')
    const keys = groups.map((one) => writer.write(one))
    const values = aggregates.map((one) => writer.aggregate(one))
    // Keys that are constants would be taken for places in the list.
    const by = groups.length > 0 ? ` GROUP BY ${keys.map((_, i) => i + 1).join(', ')}` : ''
    return this.add(`SELECT ${this.list([...keys, ...values])} FROM ${below}${by}`)
  }

  private join(operator: Operator & { is: 'join' }): string {
    const [left, right] = [this.step(operator.left), this.step(operator.right)]
    const on = this.conditions(operator).join(' AND ')
    const { kind } = operator
    if (kind === 'SEMI' || kind === 'ANTI') {
      const not = kind === 'ANTI' ? 'NOT ' : ''
      const picked = this.list(operator.left.types.map((_, i) => `l.${column(i)}`))
      return this.add(
        `SELECT ${picked} FROM ${left} AS l WHERE ${not}EXISTS (SELECT 1 FROM ${right} AS r WHERE ${on})`,
      )
    }
    const picked = this.list(sidesOf(operator))
    return this.add(`SELECT ${picked} FROM ${left} AS l ${sqlOf(kind)} JOIN ${right} AS r ON ${on}`)
  }

  private conditions({ left, right, conditions, predicates }: Operator & { is: 'join' }): string[] {
    const [l, r] = [named('l', left), named('r', right)]
    const writers = [l, r].map((names) => this.writer(names))
    const both = this.writer([...l, ...r])
    return [
      ...conditions.map((one) => {
        both.sameOnAll([one.left, one.right], 'JOIN … ON')
        const [a, b] = [writers[0]?.write(one.left), writers[1]?.write(one.right)]
        return `${a} ${one.comparison.toUpperCase()} ${b}`
      }),
      ...predicates.map((one) => both.write(one)),
    ]
  }

  /** Whether a value is among others, or NULL where nobody can tell: `IN (SELECT …)`. */
  private mark(operator: Operator & { is: 'join' }): string {
    const [condition, ...more] = operator.conditions
    if (!condition || more.length > 0 || condition.comparison !== '=')
      throw new NotPortable(
        "IN with several columns, ANY, ALL and EXISTS can't be written for other engines",
        'Write it as a join',
        condition?.at,
      )
    const [left, right] = [this.step(operator.left), this.step(operator.right)]
    const writer = this.writer(named('l', operator.left))
    writer.sameOnAll([condition.left, condition.right], 'IN')
    const value = writer.write(condition.left)
    const of = this.over(operator.right).write(condition.right)
    const keys = this.add(`SELECT DISTINCT ${of} AS c0 FROM ${right} WHERE ${of} IS NOT NULL`)
    const counts = this.add(`SELECT count(*) AS c0, count(${of}) AS c1 FROM ${right}`)
    const found = `CASE WHEN r.c0 IS NOT NULL THEN TRUE WHEN n.c0 = 0 THEN FALSE WHEN ${value} IS NULL OR n.c1 < n.c0 THEN CAST(NULL AS boolean) ELSE FALSE END`
    const picked = this.list([...named('l', operator.left), found])
    return this.add(
      `SELECT ${picked} FROM ${left} AS l CROSS JOIN ${counts} AS n LEFT JOIN ${keys} AS r ON ${value} = r.c0`,
    )
  }

  private set({ kind, all, inputs, types }: Operator & { is: 'set' }): string {
    if (!all || kind !== 'UNION') this.over({ types }).sameOnAll(columnsOf(types), kind)
    const picked = types.map((_, i) => column(i)).join(', ')
    const parts = inputs.map((input) => `SELECT ${picked} FROM ${this.step(input)}`)
    return this.add(parts.join(` ${kind} ${all ? 'ALL' : 'DISTINCT'} `))
  }

  private limit({ from, orders, limit, offset, types }: Operator & { is: 'limit' }): string {
    const below = this.step(from)
    const by = this.over(from).orders(orders)
    const picked = types.map((_, i) => column(i)).join(', ')
    // Trino wants OFFSET before LIMIT, Spark behind it.
    const parts = [offset && `OFFSET ${offset}`, limit && `LIMIT ${limit}`].filter(Boolean)
    if (this.target.name === 'spark') parts.reverse()
    return this.add(`SELECT ${picked} FROM ${below} ORDER BY ${by} ${parts.join(' ')}`)
  }
}

const sqlOf = (kind: JoinKind) => (kind === 'FULL' ? 'FULL OUTER' : kind)

const named = (alias: string, { types }: Operator) => types.map((_, i) => `${alias}.${column(i)}`)

const sidesOf = ({ left, right }: { left: Operator; right: Operator }) => [
  ...named('l', left),
  ...named('r', right),
]

const columnsOf = (types: readonly BoundType[]) =>
  types.map((type, index) => ({ is: 'column', index, type, at: undefined }) as const)
