import { randomBytes } from 'node:crypto'
import { followedAt } from '../../bronze/followed.js'
import { BatchRewrite, proveRows, rowsOf } from '../../bronze/without-rows.js'
import { fullName } from '../../define/dataset.js'
import { MoraineError } from '../../errors.js'
import type { BatchPointer, Changes, LakeState, TableState } from '../../log/commit.js'
import { sameRowsAs } from '../../log/tables/same-rows.js'
import type { SearchContext } from './options.js'
import { countsAfter, type Removal } from './removal.js'
import { tableWithout } from './table-rows.js'

/**
 * Removes rows from the newest state, in one commit: batches and tables are written again where
 * they hold some. Earlier states still have them.
 *
 * @returns the receipt's id.
 */
export async function remove(
  context: SearchContext,
  removal: Removal,
  author: string,
): Promise<{ id: string; state: LakeState }> {
  const { log, state } = context
  const changed = await batchesWithout(context, removal)
  const tables = await tablesWithout(context, removal)
  const id = randomBytes(8).toString('hex')
  const changes: Changes = {
    ...changed,
    ...(Object.keys(tables).length > 0 ? { tables } : {}),
    forgotten: { id, rows: removal.rows },
  }
  const message = `forget rows (receipt ${id})`
  // Rows that came meanwhile were not looked into, nor was what was made of them.
  if ((await log.head()).number !== state.number)
    throw new MoraineError('conflict', 'Another commit was made while the rows were looked for', {
      retryable: true,
      hint: 'Nothing was changed. Forget the rows again.',
    })
  const after = await log.commit(state, changes, { author, run: null, message })
  return { id, state: after }
}

async function batchesWithout(
  { storage, session, state }: SearchContext,
  { batches, places, closed }: Removal,
): Promise<Pick<Changes, 'cut' | 'batches' | 'watermarks'>> {
  const rewrite = new BatchRewrite(storage, session, places)
  const made = new Map<string, BatchPointer>()
  let watermarks: Changes['watermarks'] = {}
  for (const batch of batches) {
    const after = await rewrite.rewrite(batch)
    proveRows(batch, after, rowsOf(batch))
    made.set(after.batch, after)
    const { dataset, manifest: from } = batch.pointer
    const followed = followedAt(state, dataset, { from, to: after.manifest })
    watermarks = { ...watermarks, ...followed.watermarks }
  }
  // So the second part knows that what was archived of them goes.
  for (const { pointer } of closed) {
    const { archived: _, ...rest } = pointer
    made.set(pointer.batch, { ...rest, forgotten: 0 })
  }
  if (made.size === 0) return {}
  const cut: Record<string, number> = {}
  const pointers: BatchPointer[] = []
  for (const name of new Set([...batches, ...closed].map(({ pointer }) => pointer.dataset))) {
    const all = state.batches[name] ?? []
    const first = all.find(({ batch }) => made.has(batch)) as BatchPointer
    cut[name] = first.number - 1
    const from = all.filter(({ number }) => number >= first.number)
    pointers.push(...from.map((pointer) => made.get(pointer.batch) ?? pointer))
  }
  return { cut, batches: pointers, ...(Object.keys(watermarks).length > 0 ? { watermarks } : {}) }
}

async function tablesWithout(
  context: SearchContext,
  { tables, rebuilt, meant, rows }: Removal,
): Promise<Record<string, TableState>> {
  const found: Record<string, TableState> = {}
  for (const touched of tables) {
    const { name, state } = touched
    const written = await tableWithout(context, touched)
    const { sameRowsAs: _, ...before } = state
    const same = touched.rows === 0 ? { sameRowsAs: sameRowsAs(state) } : {}
    found[name] = { ...before, ...written.totals, ...written.pointer, ...same }
  }
  for (const { dataset } of meant) {
    const name = fullName(dataset)
    const table = found[name] ?? context.state.tables[name]
    const discarded = rows[`discarded.${dataset.name}`] ?? 0
    if (table && (found[name] || discarded > 0))
      found[name] = { ...table, ...countsAfter(table, dataset, rows) }
  }
  for (const [name, rebuild] of rebuilt) {
    const table = found[name] ?? context.state.tables[name]
    if (table) found[name] = { ...table, rebuild }
  }
  return found
}
