import { MoraineError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { LakeState } from './commit.js'
import type { Writing } from './gone.js'

/** Milliseconds of work from which on a commit looks whether its files are there. */
const LONG = 3_600_000
/** Milliseconds by which clocks of this machine and of the storage may differ. */
const SKEW = 86_400_000
const SHOWN = 3

/** What may have happened to files since they were written. */
type Vacuums = Pick<LakeState, 'vacuumed' | 'horizon'>

/**
 * Keeps a writer that was stopped, or took very long, from committing files that a vacuum has
 * removed meanwhile, or is removing. A vacuum says in the log what it may remove before it removes
 * anything (ADR 69), and all commits are in one row: one that comes before it is seen by the
 * vacuum, one that comes behind it sees the vacuum. Commits to branches are announced first, which
 * is in that row for them (ADR 149).
 */
export class StaleWriter {
  private seen: string | undefined

  constructor(
    private readonly storage: Storage,
    private readonly writing: Writing,
    /** When the first of the files may have been written. */
    private readonly since: number,
    /** What commits from a number on lead to. */
    private readonly visible: (from: number) => Promise<ReadonlySet<string>>,
  ) {}

  /** @throws MoraineError of kind `conflict` when files are gone, or may be. */
  async refuse({ vacuumed, horizon = 0 }: Vacuums, now: number): Promise<void> {
    const key = `${vacuumed} ${horizon}`
    if (this.seen === key) return
    const cutoff = vacuumed === undefined ? Number.NEGATIVE_INFINITY : Date.parse(vacuumed)
    const isLong = now - this.since > LONG && this.seen === undefined
    this.seen = key
    if (!isLong && cutoff < this.since - SKEW) return
    // Few writers ever are: what reads tables is loaded for those.
    const { goneFiles } = await import('./gone.js')
    const visible = () => this.visible(horizon)
    const gone = await goneFiles(this.storage, this.writing, cutoff, visible)
    if (gone.length > 0) throw stale(gone, vacuumed)
  }
}

function stale(gone: readonly string[], vacuumed: string | undefined): MoraineError {
  const more = gone.length > SHOWN ? ` and ${gone.length - SHOWN} more` : ''
  const what = `${gone.slice(0, SHOWN).join(', ')}${more}`
  return new MoraineError(
    'conflict',
    vacuumed
      ? `Vacuum has removed files of this run: they were from before ${vacuumed}, and no commit refers to them: ${what}`
      : `Files of this run are missing: ${what}`,
    {
      retryable: true,
      hint: 'The run was suspended, or took longer than the grace period of vacuum. It published nothing: run it again. To wait longer: moraine vacuum --grace.',
    },
  )
}
