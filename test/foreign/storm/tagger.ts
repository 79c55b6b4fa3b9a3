import { setTimeout as sleep } from 'node:timers/promises'
import { PyicebergHand } from './hands.js'

const TABLE = 'silver.orders'
const REFUSED = 'its rows are computed from its inputs'

/** Somebody who tags a table of the lake, which is allowed, and writes to it, which is not. */
export class Tagger {
  /** Rows of each tag, as they were when it was set. */
  readonly tags = new Map<string, number>()
  private readonly faults: string[] = []
  refused = 0
  private last = 0

  private readonly hand: PyicebergHand

  constructor(url: string) {
    this.hand = new PyicebergHand(url)
  }

  async work(isOver: () => boolean, chance: () => number): Promise<void> {
    while (!isOver()) {
      await sleep(chance() * 5000)
      if (chance() < 0.3) await this.trespass()
      else await this.tag()
    }
  }

  private async tag(): Promise<void> {
    const name = `t${++this.last}`
    // Somebody else may be faster, or the answer lost: then nothing is known of it.
    const rows = await this.hand.ask<number>('tag', TABLE, name).catch(() => undefined)
    if (rows !== undefined) this.tags.set(name, rows)
  }

  private async trespass(): Promise<void> {
    const error = await this.hand.ask('trespass', TABLE).then(
      () => undefined,
      (refused: Error) => refused.message,
    )
    if (error === undefined) this.faults.push(`${TABLE} was appended to by another engine`)
    else if (error.includes(REFUSED)) this.refused++
  }

  /** What tags have other rows than they had, and what should have been refused. */
  async check(): Promise<string[]> {
    const found = await this.hand.ask<Record<string, number>>('tagged', TABLE)
    const others = [...this.tags].filter(([name, rows]) => found[name] !== rows)
    const told = others.map(
      ([name, rows]) => `tag ${name} of ${TABLE} has ${found[name]} rows and not ${rows}`,
    )
    return [...this.faults, ...told]
  }
}
