import { awaitedOn } from '../branch/waiting.js'
import type { LakeState } from '../log/commit.js'
import { changesOf } from '../plan/decide.js'
import { select } from '../plan/graph.js'
import type { Stage } from '../plan/plan.js'
import { removedFrom } from '../plan/removed.js'
import type { ColumnChange } from '../plan/schema-diff.js'
import { olderDefinition } from '../run/older-definition.js'
import { type Places, placementsOf, portableOn } from '../run/placement.js'
import { beginOwn, notesOf, prepare } from '../run/prepare.js'
import { Sources, unreadOn } from '../run/sources.js'
import { Batches } from '../step/batches.js'
import { hash } from '../step/context.js'
import { Externals } from '../step/external/externals.js'
import type { Storage } from '../storage/storage.js'
import { bindsOn } from './binds.js'
import type { Changes, Planned } from './output/plan.js'
import type { Project } from './project.js'

/** What carries out the steps of the command that is planned. */
type Placing = Pick<Places, 'instead' | 'memory'>

/** What a run would do; SQL that is new is bound first. */
export async function makePlan(
  {
    lake,
    storage,
    log,
    house,
  }: Pick<Project, 'lake' | 'log'> & {
    storage: Storage
    house?: Pick<Project['house'], 'branch' | 'ownSources'>
  },
  selectors: readonly string[],
  full: boolean,
  { now = new Date(), placing }: { now?: Date; placing?: Placing } = {},
): Promise<Planned> {
  const datasets = select(lake, selectors)
  const { branch, ownSources = new Map() } = house ?? {}
  const { state: head } = await beginOwn({ lake, log, branch, ownSources }, await log.head())
  const { state, waiting } = await awaitedOn({ lake, log, branch }, head)
  const unread = unreadOn(log)
  await using sources = new Sources(datasets, new Batches(storage), { unread, ownSources })
  const externals = await Externals.of(storage, state, datasets, { files: true })
  const portable = portableOn(lake, placing?.instead)
  const bind = bindsOn(storage, state, externals, portable)
  const asked = { datasets, state, sources, externals, bind, full, now, portable }
  const prepared = await prepare(asked)
  const { stages } = prepared
  const changes = await schemaChanges(stages, prepared.left.columns, state, storage)
  const older = Object.fromEntries(
    stages.flatMap(({ dataset, name, decision }) => {
      const found = decision.action === 'build' ? olderDefinition(dataset, state, hash) : undefined
      return found ? [[name, found.message]] : []
    }),
  )
  const removed = removedFrom(lake.datasets, state)
  const view = externals.on(state)
  const { discoveries } = prepared
  const on = placing ? placementsOf(stages, { ...placing, lake, view, discoveries }) : {}
  const expire = unread === undefined ? prepared.expire : []
  return {
    ...prepared,
    expire,
    changes,
    notes: notesOf(prepared),
    older,
    removed,
    on,
    branch,
    waiting,
  }
}

type Columns = Planned['left']['columns']

/** How the columns of tables that are there will change. */
async function schemaChanges(
  stages: readonly Stage[],
  columns: Columns,
  state: LakeState,
  storage: Storage,
): Promise<Changes> {
  const found = new Map<string, ColumnChange[]>()
  for (const { dataset, name, decision } of stages) {
    const table = state.tables[name]
    const fresh = columns.get(dataset)
    if (decision.action !== 'build' || !table || !fresh) continue
    if (changesOf(dataset, table, hash) === undefined) continue
    const { Table } = await import('../iceberg/table.js')
    const { columnChanges } = await import('../step/schema-change.js')
    const before = await Table.load(storage, table)
    const shown = fresh.filter((column) => !column.name.startsWith('_'))
    const changes = columnChanges(before, shown, decision.renamed)
    if (changes.length > 0) found.set(name, changes)
  }
  return found
}
