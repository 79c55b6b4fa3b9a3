import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { BatchesProjector } from './bronze/project-batches.js'
import type { GlueTable } from './client.js'
import { type Deciding, type Decision, decide, decideRemoval } from './decide.js'
import { fitted } from './limits.js'
import { type LakeMark, type Mark, marked, markOf, POINTER } from './marks.js'
import type { ProjectOptions } from './options.js'
import type { ProjectedChange, ProjectionReport } from './report.js'
import type { BatchedTable, DescribedTable, WantedTable } from './wanted-table.js'

/** Others that write a table while we do; more than a few are none that go by turns. */
const TRIES = 20

interface Projecting {
  mark: LakeMark
  state: LakeState
  report: ProjectionReport
  /** Whether the log has been read again since a table was found to be of a later commit. */
  isNewest: boolean
}

/** Brings tables of the catalog, each by itself, to what the log says. */
export class TableProjector {
  constructor(
    private readonly options: ProjectOptions,
    private readonly on: Projecting,
  ) {}

  /** @returns the later commit that the catalog has it of already. */
  async project(wanted: WantedTable, first: GlueTable | undefined): Promise<number | undefined> {
    const { glue } = this.options
    let found = first
    for (let tries = 0; tries < TRIES; tries++) {
      const decision = decide(wanted, found, this.deciding(wanted.dataset, wanted.table))
      if (decision.do === 'read the log again') return decision.commit
      if (decision.do === 'set aside') return this.aside(wanted, decision)
      const looks = this.options.full && wanted.batched !== undefined
      if (decision.do === 'nothing' && !looks) {
        this.on.report.same()
        return undefined
      }
      if (await this.write(wanted, found, decision)) return undefined
      // Somebody else was quicker: what they wrote decides.
      found = await glue.table(wanted.database, wanted.table)
    }
    throw busy(`${wanted.database}.${wanted.table}`)
  }

  /** Removes a table of ours whose dataset is no longer part of the lake. */
  async remove(database: string, first: GlueTable): Promise<number | undefined> {
    const { glue, dryRun = false } = this.options
    let found: GlueTable | undefined = first
    for (let tries = 0; found && tries < TRIES; tries++) {
      const own: Mark | undefined = markOf(found)
      const dataset = own?.dataset ?? ''
      const decision = decideRemoval(found, this.deciding(dataset, found.Name))
      if (decision.do === 'nothing') return undefined
      if (decision.do === 'read the log again') return decision.commit
      const table = `${database}.${found.Name}`
      if (decision.do === 'set aside')
        return this.aside({ dataset, database, table: found.Name }, decision)
      if (dryRun || (await this.claim(database, found, own as Mark))) {
        if (!dryRun) await glue.deleteTable(database, found.Name)
        this.on.report.changed({ dataset, table, change: 'removed' })
        return undefined
      }
      found = await glue.table(database, found.Name)
    }
    if (found) throw busy(`${database}.${found.Name}`)
    return undefined
  }

  /**
   * A call that deletes has no condition: that the table is as it was seen is asked by one that
   * has.
   */
  private async claim(database: string, found: GlueTable, own: Mark): Promise<boolean> {
    const { shape: _, ...mark } = own
    const claimed = marked(inputOf(found), { ...mark, commit: this.on.state.number })
    const version = found.VersionId
    const done = await this.options.glue.updateTable(database, withOthers(claimed, found), version)
    return done === 'written'
  }

  private deciding(dataset: string, table: string): Deciding {
    const { takeBack = [] } = this.options
    const { mark, state, isNewest } = this.on
    const isTaken = takeBack.some((name) => [dataset, table].includes(name.toLowerCase()))
    return { mark, commit: state.number, takeBack: isTaken, isNewest }
  }

  private aside(
    { dataset, database, table }: Pick<WantedTable, 'dataset' | 'database' | 'table'>,
    { why, pointer }: Extract<Decision, { do: 'set aside' }>,
  ): undefined {
    const moved = pointer === undefined ? {} : { pointer }
    this.on.report.aside({ dataset, table: `${database}.${table}`, why, ...moved })
  }

  /** @returns whether it was written; otherwise somebody else was quicker. */
  private write(
    wanted: WantedTable,
    found: GlueTable | undefined,
    decision: Decision,
  ): Promise<boolean> {
    return wanted.batched
      ? this.writeBatches(wanted, found, decision)
      : this.writeDescribed(wanted, found, decision)
  }

  private async writeDescribed(
    wanted: DescribedTable,
    found: GlueTable | undefined,
    decision: Decision,
  ): Promise<boolean> {
    const { glue, dryRun = false } = this.options
    const { state, report, mark } = this.on
    const { database, dataset } = wanted
    const described = await wanted.describe(found?.Parameters?.[POINTER])
    if (!described) return true
    const { table: input, notes } = fitted(described)
    for (const note of notes) report.note(dataset, note)
    const own = { ...mark, dataset, commit: state.number, version: wanted.version }
    const written = marked(input, own, found?.Parameters)
    if (!dryRun) {
      const done = found
        ? await glue.updateTable(database, written, found.VersionId)
        : await glue.createTable(database, written)
      if (done !== 'written') return false
    }
    report.changed({ dataset, table: `${database}.${wanted.table}`, change: changeOf(decision) })
    return true
  }

  private async writeBatches(
    wanted: BatchedTable,
    found: GlueTable | undefined,
    decision: Decision,
  ): Promise<boolean> {
    const { state, report, mark } = this.on
    const { database, dataset } = wanted
    const about = { dataset, table: `${database}.${wanted.table}`, change: changeOf(decision) }
    if (this.options.dryRun) {
      report.changed(about)
      return true
    }
    const isKept = decision.do === 'nothing'
    const on = { mark, commit: state.number, report }
    const projector = new BatchesProjector(this.options, on, wanted, found)
    const partitions = await projector.project(isKept)
    if (!partitions) return false
    if (isKept && !projector.hasChanged) report.same()
    else report.changed({ ...about, partitions })
    return true
  }
}

function changeOf(decision: Decision): ProjectedChange['change'] {
  if (decision.do === 'create') return 'created'
  if (decision.do !== 'write') return 'repaired'
  if (decision.why === 'taken back') return 'taken back'
  return decision.why === 'edited' ? 'repaired' : 'advanced'
}

/** What can be written of a table that was found. */
function inputOf(table: GlueTable): Parameters<typeof marked>[0] {
  const { Name, Description, Owner, TableType, Parameters, StorageDescriptor, PartitionKeys } =
    table
  const { ViewOriginalText, ViewExpandedText } = table
  const all = { Name, Description, Owner, TableType, Parameters, StorageDescriptor, PartitionKeys }
  const given = Object.entries({ ...all, ViewOriginalText, ViewExpandedText })
  return Object.fromEntries(given.filter(([, value]) => value)) as typeof all
}

/** The parameters of a table as they are, but for its mark. */
const withOthers = (claimed: ReturnType<typeof marked>, { Parameters }: GlueTable) => ({
  ...claimed,
  Parameters: { ...Parameters, ...claimed.Parameters },
})

const busy = (table: string) =>
  new MoraineError('conflict', `${table} is written by others all the time`, {
    retryable: true,
    hint: 'Look who projects into it, and run it again.',
  })
