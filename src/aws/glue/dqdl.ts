import type { z } from 'zod'
import { checkName } from '../../define/check.js'
import { fullName } from '../../define/dataset.js'
import type { AnyInput, Check, Gold, Silver } from '../../define/model.js'
import { columnTypeOf, defOf } from '../../define/types/schema.js'
import { checkDefs } from '../../quality/checks.js'

/** A table that a ruleset reads beside its own, by the name that the rules give to it. */
export interface RulesetSource {
  alias: string
  dataset: AnyInput
}

/** What a dataset promises, as a ruleset of Glue Data Quality. */
export interface Ruleset {
  /** `Rules = [ … ]` in DQDL. */
  text: string
  rules: readonly string[]
  /** To be given with each evaluation, as `AdditionalDataSources`. */
  sources: readonly RulesetSource[]
  /** What DQDL can't say exactly, and why: Moraine alone checks it. */
  left: readonly { check: string; why: string }[]
}

/** Bytes of a ruleset that Glue takes (`DataQualityRulesetString`). */
const LONGEST = 65_536

/**
 * The rules of a dataset that Glue Data Quality checks in the same way as a run does, rule by rule;
 * all others are left out, with the reason.
 *
 * The language: https://docs.aws.amazon.com/glue/latest/dg/dqdl.html; its grammar:
 * https://github.com/awslabs/dqdl.
 *
 * @returns `undefined` for a dataset of which nothing can be said.
 */
export function ruleset(dataset: Silver | Gold): Ruleset | undefined {
  const columns = columnsOf(dataset)
  const key = dataset.tier === 'silver' ? dataset.key : []
  const made = new RulesetMaker(columns, key)
  if (key.length > 0) made.add('key', `IsPrimaryKey ${key.map(quoted).join(' ')}`)
  for (const column of columns.values()) made.column(column, key)
  for (const check of dataset.checks) made.check(check)
  if (dataset.tier === 'silver')
    for (const { name } of dataset.rules)
      made.leave(`rule '${name}'`, 'its SQL is that of DuckDB, and Glue runs that of Spark')
  return made.ruleset()
}

interface Column {
  name: string
  /** `undefined` where nothing is declared of it. */
  schema: z.ZodType
  nullable: boolean
}

function columnsOf(dataset: Silver | Gold): Map<string, Column> {
  const shape = dataset.tier === 'silver' ? dataset.schema.shape : (dataset.declared ?? {})
  return new Map(
    Object.entries(shape as Record<string, z.ZodType>).map(([name, schema]) => {
      // What gold declares is its types: a query may give NULL all the same.
      const nullable = dataset.tier === 'gold' || mayBeNull(schema)
      return [name, { name, schema, nullable }]
    }),
  )
}

/** A text of DQDL; its grammar knows `\"` and `\\`. */
const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

/** Why checks of a kind have no rule. */
const reasons: Record<'fresh' | 'discarded' | 'usual rows' | 'sql', string> = {
  fresh: 'DataFreshness asks it of every row, and Moraine of the newest',
  discarded: 'it looks at runs, which Glue does not know',
  'usual rows': 'it looks at runs, which Glue does not know',
  sql: 'its SQL is that of DuckDB, and Glue runs that of Spark',
}

class RulesetMaker {
  private readonly rules: string[] = []
  private readonly left: { check: string; why: string }[] = []
  private readonly sources: RulesetSource[] = []

  constructor(
    private readonly columns: ReadonlyMap<string, Column>,
    private readonly key: readonly string[],
  ) {}

  ruleset(): Ruleset | undefined {
    const { rules, left, sources } = this
    if (rules.length === 0) return undefined
    const text = `Rules = [\n${rules.map((rule) => `    ${rule}`).join(',\n')}\n]`
    if (Buffer.byteLength(text) <= LONGEST) return { text, rules, sources, left }
    // Whole rules are left out, so that those which are there mean what they say.
    const last = rules.pop() as string
    this.leave(last.slice(0, 80), `a ruleset has at most ${LONGEST} bytes`)
    return this.ruleset()
  }

  add(check: string, rule: string): void {
    // A text of Glue is one line, and has no control characters.
    if (/\p{Cc}/u.test(rule)) this.leave(check, 'it has control characters')
    else if (!this.rules.includes(rule)) this.rules.push(rule)
  }

  leave(check: string, why: string): void {
    this.left.push({ check, why })
  }

  column({ name, schema, nullable }: Column, key: readonly string[]): void {
    if (!nullable && !key.includes(name)) this.add(name, `IsComplete ${quoted(name)}`)
    const values = valuesOf(schema)
    if (values) this.values(name, values, nullable)
    for (const { rule, why } of boundsOf(name, schema, nullable))
      if (rule === undefined) this.leave(`bounds of ${name}`, why)
      else this.add(`bounds of ${name}`, rule)
  }

  private values(name: string, values: readonly unknown[], nullable: boolean): void {
    const texts = values.filter((value) => typeof value === 'string')
    if (texts.length < values.length) {
      this.leave(`values of ${name}`, 'they are not all texts')
      return
    }
    // NULL stands in the list by name, as a row without a value would not pass otherwise.
    const listed = [...texts.map(quoted), ...(nullable ? ['NULL'] : [])]
    this.add(`values of ${name}`, `ColumnValues ${quoted(name)} in [${listed.join(', ')}]`)
  }

  check(check: Check): void {
    const name = checkName(check)
    if (check.check === 'not empty') this.add(name, 'RowCount > 0')
    else if (check.check === 'row count') this.rowCount(name, check.min, check.max)
    else if (check.check === 'unique') this.unique(name, check.columns)
    else if (check.check === 'references') this.references(name, check)
    else this.leave(name, reasons[check.check])
  }

  /** `between` of DQDL excludes its ends. */
  private rowCount(name: string, min: number | undefined, max: number | undefined): void {
    const bounds = [min === undefined ? [] : `>= ${min}`, max === undefined ? [] : `<= ${max}`]
    for (const bound of bounds.flat()) {
      if (/^[<>]= \d+$/.test(bound)) this.add(name, `RowCount ${bound}`)
      else this.leave(name, 'its bounds are no whole numbers')
    }
  }

  private unique(name: string, columns: readonly string[]): void {
    const none = columns.filter((column) => !this.isComplete(column))
    if (none.length === 0) this.add(name, `IsUnique ${columns.map(quoted).join(' ')}`)
    else
      this.leave(
        name,
        `${none.join(', ')} may be NULL, of which Moraine allows many; of IsUnique that is not known`,
      )
  }

  private references(name: string, check: Extract<Check, { check: 'references' }>): void {
    const column = check.columns[0] as string
    const isPlain = /^\w+$/.test(column) && /^\w+$/.test(check.target)
    if (!isPlain || !this.isComplete(column)) {
      const [isNull, isOdd] = [
        'may be NULL, which refers to nothing',
        'has signs that mean more in DQDL',
      ]
      this.leave(name, `${column} ${isPlain ? isNull : isOdd}`)
      return
    }
    const alias = fullName(check.to).replaceAll('.', '_')
    const target = quoted(`${alias}.{${check.target}}`)
    this.add(name, `ReferentialIntegrity ${quoted(column)} ${target} = 1.0`)
    if (!this.sources.some((source) => source.alias === alias))
      this.sources.push({ alias, dataset: check.to })
  }

  private isComplete(column: string): boolean {
    return this.key.includes(column) || this.columns.get(column)?.nullable === false
  }
}

/** Whether a stored value may be NULL: an absent one is, unless a default takes its place. */
function mayBeNull(schema: z.ZodType): boolean {
  const def = defOf(schema)
  if (def.type === 'nullable' || def.type === 'optional') return true
  if (def.type === 'union') return def.options.some(mayBeNull)
  if (def.type === 'literal') return def.values.some((value: unknown) => value === null)
  if (def.type === 'pipe') return mayBeNull(def.out)
  return def.innerType ? mayBeNull(def.innerType) : false
}

/** The schema of the values that there are; `undefined` where more than its own checks hold. */
function bare(schema: z.ZodType): z.ZodType {
  const { type, innerType } = defOf(schema)
  const wraps = ['nullable', 'optional', 'default', 'prefault', 'nonoptional', 'readonly']
  return wraps.includes(type) && innerType ? bare(innerType) : schema
}

function valuesOf(schema: z.ZodType): readonly unknown[] | undefined {
  const def = defOf(bare(schema))
  if (def.type === 'enum') return Object.values(def.entries)
  return def.type === 'literal' ? def.values : undefined
}

/** Least and greatest values of whole numbers and decimals. */
function boundsOf(name: string, schema: z.ZodType, nullable: boolean) {
  const found: { rule?: string; why: string }[] = []
  const { kind } = columnTypeOf(schema)
  if (kind !== 'int' && kind !== 'bigint' && kind !== 'decimal') return found
  for (const def of checkDefs(bare(schema))) {
    const bound = boundOf(def)
    if (!bound) continue
    const [op, value] = bound
    // The grammar has no exponents, and a number of Glue's is a double.
    const isPlain = /^-?\d+(\.\d+)?$/.test(value) && value.replace(/\D/g, '').length <= 15
    if (nullable) found.push({ why: 'it may be NULL, of which DQDL does not say what it means' })
    else if (!isPlain) found.push({ why: `${value} has more digits than Glue compares exactly` })
    else found.push({ rule: `ColumnValues ${quoted(name)} ${op} ${value}`, why: '' })
  }
  return found
}

function boundOf(def: { check: string; [key: string]: unknown }): [string, string] | undefined {
  if (def.check === 'moraine_bound') return [String(def.op), String(def.bound)]
  const sign = { greater_than: '>', less_than: '<' }[def.check]
  return sign ? [`${sign}${def.inclusive ? '=' : ''}`, String(def.value)] : undefined
}
