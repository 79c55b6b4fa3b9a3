import type { AnyDataset, Row } from './dataset.js'
import type { Sql } from './sql.js'

/** What a broken check of a whole table means: the run does not publish it, or it is only told. */
export type CheckSeverity = 'fail' | 'warn'

/** A condition that a whole table must meet, held before a run publishes it. */
export type Check<C extends string = string> = CheckKind<C> & {
  readonly kind: 'check'
  readonly severity: CheckSeverity
}

type CheckKind<C extends string> =
  | { readonly check: 'unique'; readonly columns: readonly C[] }
  | { readonly check: 'not empty' }
  | { readonly check: 'fresh'; readonly columns: readonly C[]; readonly within: string }
  | {
      readonly check: 'row count'
      readonly min: number | undefined
      readonly max: number | undefined
    }
  | { readonly check: 'discarded'; readonly max: number }
  | { readonly check: 'usual rows'; readonly deviations: number; readonly runs: number }
  | {
      readonly check: 'references'
      readonly columns: readonly C[]
      readonly to: AnyDataset
      readonly target: string
    }
  | { readonly check: 'sql'; readonly name: string; readonly query: Sql }

interface Severe {
  severity?: CheckSeverity
}

function made<K extends CheckKind<string>>(kind: K, { severity = 'fail' }: Severe = {}) {
  return { kind: 'check', severity, ...kind } as const
}

/** Checks of whole tables. A broken one of severity `fail`, the default, keeps the run from publishing. */
export const check = {
  /** No two rows have the same values in these columns. */
  unique: <C extends string>(columns: C | readonly C[], options?: Severe): Check<C> =>
    made({ check: 'unique', columns: list(columns) }, options),
  /** There is at least one row. */
  notEmpty: (options?: Severe): Check<never> => made({ check: 'not empty' }, options),
  /** The newest value of a date or timestamp is no older than this: `12h`, `2d`. */
  fresh: <C extends string>(column: C, options: Severe & { within: string }): Check<C> =>
    made({ check: 'fresh', columns: [column], within: options.within }, options),
  /** The number of rows lies within these bounds. */
  rowCount: (options: Severe & { min?: number; max?: number }): Check<never> =>
    made({ check: 'row count', min: options.min, max: options.max }, options),
  /**
   * The number of rows (of silver those that a run reads, of gold those of the table) is no further from the mean of the last runs than so
   * many standard deviations. It holds until there are five runs to compare with. Default: 3 of 14 runs.
   */
  usualRows: (options: Severe & { deviations?: number; runs?: number } = {}): Check<never> => {
    const { deviations = 3, runs = 14 } = options
    return made({ check: 'usual rows', deviations, runs }, options)
  },
  /** No more than this part of a run's rows is discarded: `0.01` or `'1%'`. For silver. */
  discarded: (options: Severe & { max: number | `${number}%` }): Check<never> =>
    made({ check: 'discarded', max: fraction(options.max) }, options),
  /** Every value of the column that is not NULL is a value of a column of another dataset. */
  references: <C extends string, D extends AnyDataset>(
    column: C,
    to: D,
    target: keyof Row<D> & string,
    options?: Severe,
  ): Check<C> => made({ check: 'references', columns: [column], to, target }, options),
  /**
   * A query that finds what should not be: the check is broken when it gives any row. `this_table` in
   * it is the table that is checked.
   */
  sql: (name: string, query: Sql, options?: Severe): Check<never> =>
    made({ check: 'sql', name, query }, options),
}

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
      return `${check.columns[0]} references ${check.to.tier}.${check.to.name}.${check.target}`
    case 'sql':
      return check.name
    default:
      return check.check
  }
}
