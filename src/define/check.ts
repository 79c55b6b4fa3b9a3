import type { AnyInput, Check, CheckKind, CheckSeverity, Row, Sql } from './model.js'
import {
  columnName,
  columnNames,
  datasets,
  interval,
  isDataset,
  number,
  oneOf,
  sqlTag,
  text,
} from './options/expected.js'
import {
  checked,
  checkedArguments,
  type Expected,
  needed,
  type OptionList,
} from './options/options.js'
import { fullName } from './sql/name.js'
import { noSql } from './sql/sql.js'

interface Severe {
  severity?: CheckSeverity
}
type Fresh = Severe & { within: string }
type RowCount = Severe & { min?: number; max?: number }
type UsualRows = Severe & { deviations?: number; runs?: number }
type Discarded = Severe & { max: number | `${number}%` }

const severe: OptionList<Severe> = { severity: oneOf('fail', 'warn') }
const fresh: OptionList<Fresh> = { ...severe, within: needed(interval) }
const rowCount: OptionList<RowCount> = { ...severe, min: number, max: number }
const usualRows: OptionList<UsualRows> = { ...severe, deviations: number, runs: number }
const discarded: OptionList<Discarded> = {
  ...severe,
  max: needed({
    is: "a fraction from 0 to 1, or a percentage such as '1%'",
    fits: (value) =>
      number.fits(value) || (typeof value === 'string' && /^\d+(\.\d+)?%$/.test(value)),
  }),
}

function made<K extends CheckKind<string>>(kind: K, { severity = 'fail' }: Severe = {}) {
  return { kind: 'check', severity, ...kind } as const
}

/** The columns of a check; none where they are no texts, once that is said. */
function columnsOf<C extends string>(call: string, columns: C | readonly C[]): readonly C[] {
  const good = checkedArguments(call, { columns }, { columns: columnNames }).columns
  return good === undefined ? [] : list(good)
}

/**
 * Checks of whole tables. A failed check with severity `fail`, the default, keeps the table from
 * being published.
 */
export const check = {
  /** No two rows have the same values in these columns. */
  unique: <C extends string>(columns: C | readonly C[], options: Severe = {}): Check<C> =>
    made(
      { check: 'unique', columns: columnsOf('check.unique', columns) },
      checked('check.unique', options, severe),
    ),
  /** There is at least one row. */
  notEmpty: (options: Severe = {}): Check<never> =>
    made({ check: 'not empty' }, checked('check.notEmpty', options, severe)),
  /** The newest value of a date or timestamp is no older than this: `12h`, `2d`. */
  fresh: <C extends string>(column: C, options: Fresh): Check<C> => {
    const good = checked('check.fresh', options, fresh)
    const columns = columnsOf('check.fresh', column)
    return made({ check: 'fresh', columns, within: good.within ?? '1d' }, good)
  },
  /** The number of rows is within these bounds. */
  rowCount: (options: RowCount): Check<never> => {
    const good = checked('check.rowCount', options, rowCount)
    return made({ check: 'row count', min: good.min, max: good.max }, good)
  },
  /**
   * The number of rows (for silver those that a run reads, for gold those of the table) is within
   * this many standard deviations of the mean of the last runs. It passes until there are five runs
   * to compare with. Default: 3, over 14 runs.
   */
  usualRows: (options: UsualRows = {}): Check<never> => {
    const good = checked('check.usualRows', options, usualRows)
    const { deviations = 3, runs = 14 } = good
    return made({ check: 'usual rows', deviations, runs }, good)
  },
  /** At most this share of a run's rows is discarded: `0.01` or `'1%'`. For silver. */
  discarded: (options: Discarded): Check<never> => {
    const good = checked('check.discarded', options, discarded)
    return made({ check: 'discarded', max: fraction(good.max ?? 1) }, good)
  },
  /** Every non-NULL value of the column exists in a column of another dataset. */
  references: <C extends string, D extends AnyInput>(
    column: C,
    to: D,
    target: keyof Row<D> & string,
    options: Severe = {},
  ): Check<C> => {
    const call = 'check.references'
    const good = checkedArguments(call, { to, target }, { to: aDataset, target: columnName })
    const columns = columnsOf(call, column)
    const severity = checked(call, options, severe)
    // Without what it refers to nothing is held; that it is missing is said.
    if (good.to === undefined) return made({ check: 'not empty' }, severity)
    return made({ check: 'references', columns, to, target: good.target ?? '' }, severity)
  },
  /**
   * A query for violations: the check fails if it returns any rows. `this_table` in it is the table
   * to check.
   */
  sql: (name: string, query: Sql, options: Severe = {}): Check<never> => {
    const good = checkedArguments('check.sql', { name, query }, { name: text, query: sqlTag })
    return made(
      { check: 'sql', name: good.name ?? '', query: good.query ?? noSql },
      checked('check.sql', options, severe),
    )
  },
}

const aDataset: Expected = { ...datasets, is: 'a dataset', fits: isDataset }

function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}

function fraction(max: number | string): number {
  return typeof max === 'number' ? max : Number(max.replace('%', '')) / 100
}

/** A check in words, as results and errors name it. */
export function checkName(check: Check): string {
  switch (check.check) {
    case 'unique':
      return `unique ${check.columns.join(', ')}`
    case 'fresh':
      return `${check.columns[0]} within ${check.within}`
    case 'row count':
      return `row count ${check.min ?? 0} to ${check.max ?? 'any'}`
    case 'usual rows':
      return `rows within ${check.deviations} deviations of the last ${check.runs} runs`
    case 'discarded':
      return `at most ${Number((check.max * 100).toFixed(6))} % discarded`
    case 'references':
      return `${check.columns[0]} references ${fullName(check.to)}.${check.target}`
    case 'sql':
      return check.name
    default:
      return check.check
  }
}
