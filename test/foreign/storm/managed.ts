import { setTimeout as sleep } from 'node:timers/promises'
import { moraine, type Outcome, type Project } from '../../support/project.js'

/** The lake's own tables, beside which other engines work. */
export const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw, key: 'id', cursor: 'version',
  schema: z.object({ id: t.int(), version: t.bigint(), amount: t.int().min(0) }),
})
const totals = gold('totals', { query: sql\`select count(*) as orders, sum(amount) as amount from \${orders}\` })
export default defineLake({ name: 'open', datasets: [orders, totals] })
`

/**
 * What a command says that somebody else was faster, took files away from under it, or is still at
 * work.
 */
const LOST =
  /was faster|files of this run|no longer|other commits were faster|still running.*longer than --grace/

/** Runs of the lake, with new files each time, and its maintenance. */
export class Managed {
  /** Orders by their ids: the newest version, and its amount. */
  readonly orders = new Map<number, { version: number; amount: number }>()
  readonly counts: Record<string, number> = {}
  /** What commands have said. */
  readonly outputs: string[] = []
  private version = 0
  private files = 0

  constructor(
    private readonly project: Project,
    private readonly chance: () => number,
  ) {}

  private below(n: number): number {
    return Math.floor(this.chance() * n)
  }

  /** A file of orders, some of them known, one in ten wrong. */
  async deliver(): Promise<void> {
    const lines = ['id,version,amount']
    for (let i = 0; i < 20; i++) {
      const [id, version] = [this.below(300), ++this.version]
      const amount = this.chance() < 0.1 ? -1 : this.below(1000)
      lines.push(`${id},${version},${amount}`)
      if (amount >= 0) this.orders.set(id, { version, amount })
    }
    await this.project.write({ [`in/${++this.files}.csv`]: `${lines.join('\n')}\n` })
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.deliver()
      await this.command('run')
      await sleep(this.chance() * 2000)
    }
  }

  /** Compacts, and removes what nobody needs: also files that writers are about to commit. */
  async maintain(isOver: () => boolean): Promise<void> {
    for (let turn = 0; !isOver(); turn++) {
      const grace = ['2s', '10s', '60s', '1h'][this.below(4)] as string
      const history = this.chance() < 0.3 ? ['--history', '30s'] : []
      if (turn % 3 === 2) await this.command('optimize')
      else await this.command('vacuum', '--delete', '--grace', grace, ...history)
      await sleep(this.chance() * 4000)
    }
  }

  /** What is wrong with the lake's own table. */
  async faults(): Promise<string[]> {
    const orders = await this.project.reading((rows) =>
      rows('SELECT id, version, amount FROM silver.orders'),
    )
    const found = orders.map(({ id, version, amount }) => `${id} ${version} ${amount}`)
    const expected = this.expected
    return [
      ...expected.filter((row) => !found.includes(row)).map((row) => `silver.orders lacks ${row}`),
      ...found.filter((row) => !expected.includes(row)).map((row) => `silver.orders has ${row}`),
      ...(found.length > new Set(found).size ? ['silver.orders has rows twice'] : []),
    ]
  }

  async command(...args: string[]): Promise<Outcome> {
    const name = args[0] as string
    this.counts[name] = (this.counts[name] ?? 0) + 1
    const outcome = await moraine(['-C', this.project.folder, ...args])
    this.outputs.push(
      `${new Date().toISOString()} ${args.join(' ')} ${outcome.code}\n${outcome.stdout}${outcome.stderr}`,
    )
    if (outcome.code !== 0 && !LOST.test(outcome.stdout + outcome.stderr))
      throw new Error(
        `moraine ${args.join(' ')} ended with ${outcome.code}:\n${outcome.stdout}${outcome.stderr}`,
      )
    return outcome
  }

  private get expected(): string[] {
    return [...this.orders].map(([id, { version, amount }]) => `${id} ${version} ${amount}`).sort()
  }
}
