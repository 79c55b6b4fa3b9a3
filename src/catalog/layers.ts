import { fullName } from '../define/dataset.js'
import type { Lake } from '../define/lake.js'
import { quoteName } from '../define/sql/sql.js'
import { typeName } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import type { LakeState } from '../log/commit.js'
import { bronzeLineage } from '../step/batches.js'
import { Relations } from '../step/relations.js'
import type { Storage } from '../storage/storage.js'
import { describeLake } from './describe.js'

export interface LayerDrift {
  tables: number
  /** Where the catalog says something else than the files do. */
  changes: string[]
}

/**
 * Looks at the files of a layer's tables, and holds what the catalog says against them: columns,
 * types, rows.
 */
export async function crawlLayer(
  session: Session,
  { lake, storage }: { lake: Lake; storage: Storage },
  state: LakeState,
  tier: string,
): Promise<LayerDrift> {
  const entries = await describeLake(session, lake, storage, state)
  const relations = new Relations(storage, state)
  const built = lake.datasets.filter((dataset) => {
    const name = fullName(dataset)
    return dataset.tier === tier && (state.tables[name] ?? state.batches[name]) !== undefined
  })
  const changes: string[] = []
  for (const dataset of built) {
    const name = fullName(dataset)
    const entry = entries.find((other) => other.name === name)
    await relations.define(session, [dataset])
    const from = `${quoteName(dataset.tier)}.${quoteName(dataset.name)}`
    const there = (await session.describe(`SELECT * FROM ${from}`))
      .filter((column) => tier !== 'bronze' || !bronzeLineage.includes(column.name))
      .map((column) => `${column.name} ${typeName(column.type)}`)
    const said = (entry?.columns ?? []).map((column) => `${column.name} ${stored(column.type)}`)
    for (const column of there)
      if (!said.includes(column))
        changes.push(`${name}: column ${column} is in the files but not in the catalog`)
    for (const column of said)
      if (!there.includes(column))
        changes.push(`${name}: column ${column} is in the catalog but not in the files`)
    const [row] = await session.rows(`SELECT count(*) AS n FROM ${from}`)
    if (Number(row?.n) !== entry?.rows)
      changes.push(`${name}: the files have ${row?.n} rows, but the catalog says ${entry?.rows}`)
  }
  return { tables: built.length, changes }
}

/** A type as files have it: what is checked text is text there. */
function stored(type: string): string {
  return type.replace(/\b(json|uuid)\b/g, 'string')
}
