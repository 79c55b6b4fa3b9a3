/** What was done with a table of the catalog. */
export interface ProjectedChange {
  dataset: string
  /** `shop_silver.orders`. */
  table: string
  change: 'created' | 'advanced' | 'repaired' | 'taken back' | 'removed'
  partitions?: { added: number; removed: number }
}

/** A table that was left as it is, until somebody decides. */
export interface SetAside {
  dataset: string
  table: string
  why: string
  /** The metadata file that it leads to, if somebody has moved its pointer. */
  pointer?: string
}

/**
 * What to do about a table that was left as it is.
 *
 * @param another how databases are given other names.
 */
export const adviceOn = ({ why, dataset }: Pick<SetAside, 'why' | 'dataset'>, another: string) =>
  /pointer|log ends/.test(why)
    ? `To put the lake's version back: moraine project --take-back ${dataset}`
    : `Give the databases of the lake another prefix: ${another}`

/** What a projection did. */
export interface Projected {
  /** The commit that the catalog shows now. */
  commit: number
  changes: ProjectedChange[]
  unchanged: number
  setAside: SetAside[]
  /** What the catalog can't show, and what it shows less of. */
  notes: { dataset: string; note: string }[]
}

export class ProjectionReport {
  private readonly changes: ProjectedChange[] = []
  private readonly setAside: SetAside[] = []
  private readonly notes: Projected['notes'] = []
  private unchanged = 0

  constructor(private readonly commit: number) {}

  changed(change: ProjectedChange): void {
    this.changes.push(change)
  }

  same(): void {
    this.unchanged++
  }

  aside(one: SetAside): void {
    this.setAside.push(one)
  }

  note(dataset: string, note: string): void {
    this.notes.push({ dataset, note })
  }

  result(): Projected {
    const { commit, changes, unchanged, setAside, notes } = this
    return { commit, changes, unchanged, setAside, notes }
  }
}
