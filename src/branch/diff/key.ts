import { inputsOf } from '../../define/inputs.js'
import type { AnyDataset, Gold } from '../../define/model.js'
import { renderSql } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { TableState } from '../../log/commit.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { hash } from '../../step/context.js'
import { groupedBy } from './grouped.js'
import { type Comparing, columnsOfTable, type Key } from './table-diff.js'

/**
 * The key of a dataset: what silver is keyed by, or what a check of gold says is unique, or else
 * what may be one. A key that a side was not built with says nothing of its rows.
 */
export async function keyOf(
  { key, session, storage }: Comparing & { key?: readonly string[] | undefined },
  { name, dataset }: { name: string; dataset: AnyDataset | undefined },
  before: TableState,
  after: TableState,
): Promise<Key> {
  if (key) {
    const sides = await Promise.all([before, after].map((one) => columnsOfTable(storage, one)))
    return { columns: knownColumns(name, key, sides.flat()), isUnique: false }
  }
  if (dataset?.tier === 'silver') {
    const { key: own } = definitionOf(dataset, hash)
    const isUnique = [before, after].every(({ definition }) => definition.key === own)
    return { columns: dataset.key, isUnique: isUnique && dataset.key.length > 0 }
  }
  if (dataset?.tier !== 'gold') return { columns: [], isUnique: false }
  const unique = dataset.checks.find(isUniqueCheck)
  if (unique) return { columns: unique.columns, isUnique: false }
  return { columns: [], isUnique: false, guesses: await guessesOf(session, dataset) }
}

/** @throws MoraineError of kind `usage` for a column that neither side has. */
function knownColumns(name: string, asked: readonly string[], fields: readonly Field[]): string[] {
  const names = [...new Set(fields.map((field) => field.name))]
  return asked.map((column) => {
    const found =
      names.find((one) => one === column) ??
      names.find((one) => one.toLowerCase() === column.toLowerCase())
    if (found !== undefined) return found
    throw new MoraineError('usage', `${name} has no column '${column}'`, {
      hint: `Its columns: ${names.join(', ')}`,
    })
  })
}

/** Groups have one row each; so has a part as a rule, and a row of silver that is only joined. */
async function guessesOf(session: Session, gold: Gold): Promise<(readonly string[])[]> {
  const groups = groupedBy(await session.parser.tree(renderSql(gold.query)))
  const parts = gold.incremental ? [gold.incremental.by] : []
  const keys = inputsOf(gold).flatMap((input) => (input.tier === 'silver' ? [input.key] : []))
  return [groups, parts, ...keys]
}

const isUniqueCheck = <C extends { check: string }>(check: C): check is C & { check: 'unique' } =>
  check.check === 'unique'
