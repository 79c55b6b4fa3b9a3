import { fullName, schemaOf } from '../../define/dataset.js'
import { checkedAgainst, inputsOf, isBuilt, lookupsOf } from '../../define/inputs.js'
import type { AnyDataset, AnyInput, Bronze, Gold, Silver, Sql } from '../../define/model.js'
import { datasetsIn, quoteName, reference } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError, type Problem } from '../../errors.js'
import type { Portable } from '../../gold/portable.js'
import type { View } from '../../plan/decision.js'
import type { Batches } from '../../step/batches.js'
import { bindExpression, emptyRelation } from '../../step/expressions.js'
import type { Externals } from '../../step/external/externals.js'
import { bindCheck } from './bind-checks.js'
import { boundGold, bronzeColumns, columnsBeside, type Known, silverColumns } from './columns.js'
import { externalColumnProblems } from './external-columns.js'
import { sqlProblems } from './prove-sql.js'

/** A mistake in SQL. */
export interface SqlProblem extends Problem {
  dataset: AnyDataset
  /** Inputs whose columns may be others once more of them has arrived: then it may be none. */
  unsure: readonly Bronze[]
}

/** What binding found. */
export interface Bound {
  problems: SqlProblem[]
  /** The columns that datasets will have, as far as they can be known. */
  columns: ReadonlyMap<AnyInput, readonly Field[]>
  /** Datasets whose SQL could not be bound, as nobody knows the columns of bronze that it reads. */
  unbound: Map<AnyDataset, Bronze>
}

/** What SQL is bound on: a state of the lake, and what it consists of. */
export interface BindState {
  view: View
  batches: Batches
  externals: Externals
  /** For which gold datasets SQL of another engine is written. */
  portable?: ((dataset: Gold) => Portable | undefined) | undefined
}

/**
 * Which SQL of a dataset is bound: all of it, or what may be new although its table's definition is
 * not.
 */
export type BindScope = 'all' | 'checks'

/**
 * Binds the SQL of datasets against tables that have the right columns and no rows: finds unknown
 * columns, functions and mistakes of grammar before anything runs. What depends on columns that
 * only a run will know, such as those of a file's header, is told apart.
 */
export async function bindSql(
  session: Session,
  wanted: ReadonlyMap<AnyDataset, BindScope>,
  on: BindState,
): Promise<Bound> {
  const binder = new Binder(session, on)
  for (const [dataset, what] of wanted) await binder.bind(dataset, what)
  await binder.close()
  return binder.bound
}

class Binder {
  readonly bound: Bound = { problems: [], columns: new Map(), unbound: new Map() }
  private readonly known = new Map<AnyInput, Promise<Known | undefined>>()
  private readonly defined: string[] = []

  constructor(
    private readonly session: Session,
    private readonly on: BindState,
  ) {}

  async bind(dataset: AnyDataset, wanted: BindScope): Promise<void> {
    const known = await this.columnsOf(dataset)
    if (dataset.tier === 'bronze') return
    if (dataset.tier === 'silver') await this.bindSilver(dataset, known as Known, wanted)
    if (known) await this.bindChecks(dataset, known)
  }

  /** What was defined is nothing that a run may find. */
  async close(): Promise<void> {
    for (const name of this.defined) await this.session.run(`DROP VIEW IF EXISTS ${name}`)
  }

  private async bindSilver(dataset: Silver, { fields }: Known, wanted: BindScope): Promise<void> {
    const rows = emptyRelation(fields, this.session.dialect)
    for (const { name, condition } of dataset.rules)
      if (await this.refers(dataset, `rule '${name}'`, condition, true)) {
        const looked = await this.allOf(datasetsIn(condition), dataset)
        if (looked)
          await this.collect(dataset, looked.unsure, () =>
            bindExpression(this.session, condition, rows),
          )
      }
    if (wanted === 'all')
      for (const problem of externalColumnProblems(dataset, this.on.externals))
        this.bound.problems.push({ ...problem, dataset, unsure: [] })
    const selected = [...Object.values(dataset.select), dataset.deleteWhen].filter(
      (chosen): chosen is Sql => chosen !== undefined && typeof chosen !== 'string',
    )
    if (wanted !== 'all' || selected.length === 0) return
    const inputs = await this.allOf([...dataset.from, ...lookupsOf(dataset)], dataset)
    const from = dataset.from.map((input) => `SELECT * FROM ${reference(input)}`)
    const input = this.session.dialect.rows.union(from)
    for (const chosen of selected)
      if ((await this.refers(dataset, 'select', chosen, true)) && inputs)
        await this.collect(dataset, inputs.unsure, () =>
          bindExpression(this.session, chosen, input),
        )
  }

  private async bindChecks(dataset: Silver | Gold, { fields, unsure }: Known): Promise<void> {
    for (const check of dataset.checks) {
      if (check.check === 'sql' && !(await this.refers(dataset, 'check', check.query, false)))
        continue
      const others = await this.allOf(checkedAgainst(dataset), dataset)
      if (others)
        await this.collect(dataset, [...unsure, ...others.unsure], () =>
          bindCheck(this.session, dataset, check, fields),
        )
    }
  }

  /**
   * The columns a dataset will have, which the engine then knows; `undefined` while they can't be
   * known.
   */
  private columnsOf(dataset: AnyInput): Promise<Known | undefined> {
    const found = this.known.get(dataset) ?? this.find(dataset)
    this.known.set(dataset, found)
    return found
  }

  private async find(dataset: AnyInput): Promise<Known | undefined> {
    const known = await this.knownOf(dataset)
    if (!known) return undefined
    ;(this.bound.columns as Map<AnyInput, readonly Field[]>).set(dataset, known.fields)
    await this.define(schemaOf(dataset), dataset.name, known.fields)
    if (dataset.tier !== 'silver') return known
    for (const [tier, columns] of columnsBeside(dataset))
      await this.define(tier, dataset.name, columns)
    return known
  }

  private async knownOf(dataset: AnyInput): Promise<Known | undefined> {
    const { view, batches, externals } = this.on
    switch (dataset.tier) {
      case 'bronze':
        return bronzeColumns(dataset, view, batches)
      case 'silver':
        return { fields: silverColumns(dataset), unsure: [] }
      case 'gold':
        return this.gold(dataset)
      case 'external': {
        const fields = externals.columnsOf(dataset)
        return fields && { fields, unsure: [] }
      }
    }
  }

  private async define(tier: string, name: string, fields: readonly Field[]): Promise<void> {
    await this.session.define(tier, name, emptyRelation(fields, this.session.dialect))
    this.defined.push(`${quoteName(tier)}.${quoteName(name)}`)
  }

  private async gold(dataset: Gold): Promise<Known | undefined> {
    if (!(await this.refers(dataset, 'query', dataset.query, false))) return undefined
    const inputs = await this.allOf(inputsOf(dataset), dataset)
    if (!inputs) return undefined
    const fields = await this.collect(dataset, inputs.unsure, () =>
      boundGold(this.session, dataset, this.on.portable?.(dataset)),
    )
    return fields && { fields, unsure: inputs.unsure }
  }

  /** Makes all inputs known; `undefined` where one can't be. */
  private async allOf(
    inputs: readonly AnyInput[],
    reader: AnyDataset,
  ): Promise<{ unsure: readonly Bronze[] } | undefined> {
    const unsure: Bronze[] = []
    let all = true
    for (const input of inputs) {
      const known = await this.columnsOf(input)
      unsure.push(...(known?.unsure ?? []))
      all &&= known !== undefined
      const open = known
        ? undefined
        : input.tier === 'bronze'
          ? input
          : isBuilt(input)
            ? this.bound.unbound.get(input)
            : undefined
      if (open) this.bound.unbound.set(reader, open)
    }
    return all ? { unsure: [...new Set(unsure)] } : undefined
  }

  /**
   * Whether SQL does no more than it may, and names the datasets that it reads as values; anything
   * else is a mistake.
   */
  private async refers(
    dataset: Silver | Gold,
    what: string,
    sql: Sql,
    expression: boolean,
  ): Promise<boolean> {
    const found = await sqlProblems(this.session, dataset, [{ what, sql, expression }])
    const problems = found.get(sql) ?? []
    this.bound.problems.push(...problems.map((problem) => ({ ...problem, dataset, unsure: [] })))
    return problems.length === 0
  }

  private async collect<T>(
    dataset: AnyDataset,
    unsure: readonly Bronze[],
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof MoraineError)) throw error
      const { message, hint, place } = error
      const name = fullName(dataset)
      const said = message.startsWith(name) ? message : `${name}: ${message}`
      this.bound.problems.push({ message: said, hint, place, dataset, unsure })
      return undefined
    }
  }
}
