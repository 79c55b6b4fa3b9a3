import { MoraineError, messageOf } from '../../errors.js'
import { isPassing } from '../../storage/passing.js'
import { couldNotRead, type Damage, type Part, type Unread } from './damage.js'

/** What was found to be wrong, in words and by object. */
export class Findings {
  readonly problems: string[] = []
  readonly damaged: Damage[] = []
  readonly unread: Unread[] = []
  /** How many problems there were once the newest commit had been looked at. */
  headEnds: number | undefined

  async guarded(what: string, part: Part, check: () => Promise<void>): Promise<void> {
    try {
      await check()
    } catch (error) {
      this.failed(what, error, part)
    }
  }

  failed(what: string, error: unknown, part: Part): void {
    const why = messageOf(error)
    const text = what === '' ? why : `${what}: ${why}`
    const path = error instanceof MoraineError ? error.path : undefined
    if (isPassing(error)) this.notRead('', path ?? what, error)
    else if (path === undefined) this.problems.push(text)
    else {
      const is = error instanceof MoraineError && error.kind === 'storage' ? 'missing' : 'damaged'
      this.found(text, { path, is, why, part })
    }
  }

  /** Nothing is known of it, and nothing is said of it but that. */
  notRead(what: string, path: string, error: unknown): void {
    const why = messageOf(error)
    this.problems.push(`${what === '' ? '' : `${what}: `}${path} ${couldNotRead(why)}`)
    if (!this.unread.some((one) => one.path === path)) this.unread.push({ path, why })
  }

  found(text: string, damage: Omit<Damage, 'head'>): void {
    this.problems.push(text)
    if (!this.damaged.some(({ path }) => path === damage.path))
      this.damaged.push({ ...damage, head: this.headEnds === undefined })
  }
}
