import { lineageOf } from '../../catalog/describe.js'
import { fullName } from '../../define/dataset.js'
import { inputsOf } from '../../define/inputs.js'
import type { Lake } from '../../define/lake.js'
import type { Session } from '../../engine/engine.js'
import type { LakeState } from '../../log/commit.js'
import { select } from '../../plan/graph.js'
import type { ColumnLineage } from '../../plan/lineage.js'
import type { Storage } from '../../storage/storage.js'
import { columnsOfTable } from './table-diff.js'

/** A dataset downstream, and its columns that are computed from columns which changed. */
export interface Reached {
  dataset: string
  columns: readonly string[]
}

/** Follows columns through the definitions of a lake, downstream. */
export class Reach {
  private readonly lineages = new Map<string, Promise<ColumnLineage>>()
  private readonly columns = new Map<string, readonly string[]>()

  constructor(
    private readonly lake: Lake,
    private readonly state: LakeState,
    private readonly storage: Storage,
    private readonly session: Session,
  ) {}

  has(name: string): boolean {
    return this.lake.datasets.some((dataset) => fullName(dataset) === name)
  }

  /** All datasets downstream of one, each with the columns that these columns of it reach. */
  async of(name: string, changed: readonly string[]): Promise<Reached[]> {
    const lower = (names: readonly string[]) => new Set(names.map((one) => one.toLowerCase()))
    const reached = new Map([[name, lower(changed)]])
    const found: Reached[] = []
    for (const dataset of select(this.lake, [`${name}+`])) {
      const own = fullName(dataset)
      if (own === name) continue
      const lineage = changed.length > 0 ? await this.lineage(dataset) : new Map()
      const columns = [...lineage].flatMap(([column, sources]) =>
        (sources as { table: string; column: string }[]).some((one) =>
          reached.get(one.table)?.has(one.column.toLowerCase()),
        )
          ? [String(column)]
          : [],
      )
      reached.set(own, lower(columns))
      found.push({ dataset: own, columns })
    }
    return found
  }

  private lineage(dataset: Lake['datasets'][number]): Promise<ColumnLineage> {
    const name = fullName(dataset)
    const known = this.lineages.get(name)
    if (known) return known
    const made = this.follow(dataset)
    this.lineages.set(name, made)
    return made
  }

  private async follow(dataset: Lake['datasets'][number]): Promise<ColumnLineage> {
    for (const input of inputsOf(dataset)) await this.look(fullName(input))
    const columnsOf = (table: string) => this.columns.get(table.toLowerCase()) ?? []
    return lineageOf(this.session, dataset, columnsOf)
  }

  private async look(name: string): Promise<void> {
    if (this.columns.has(name.toLowerCase())) return
    const table = this.state.tables[name]
    const fields = table
      ? await columnsOfTable(this.storage, table)
      : (this.state.views?.[name]?.columns ?? [])
    this.columns.set(
      name.toLowerCase(),
      fields.map((field) => field.name),
    )
  }
}
