import { cp, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Project } from '../../support/project.js'
import { random } from '../../support/seed.js'
import { Catalogs } from './catalogs.js'
import { type Deed, faultsOf, type World, worldOf } from './deeds.js'
import { enlist, type Fleet, prepare } from './fleet.js'
import { Managed } from './managed.js'
import { read } from './read.js'
import { Tagger } from './tagger.js'
import { SHARED, type Writer } from './writer.js'

/** What is there before anybody writes. */
const begun: World = new Map(SHARED.map((table) => [table, 1]))

/** Writers of all engines, the catalogs that they write to, and what goes on in the lake itself. */
export class Storm {
  private writers: readonly Writer[] = []
  private stopEngines: () => Promise<unknown> = async () => {}

  private constructor(
    private readonly project: Project,
    private readonly chanceOf: (name: string) => () => number,
    readonly catalogs: Catalogs,
    readonly managed: Managed,
    readonly tagger: Tagger,
  ) {}

  /** Starts all of them; each has written something once it resolves, and nothing fails so far. */
  static async start(project: Project, seed: number, fleet: Fleet): Promise<Storm> {
    // Each has chances of its own: what it draws does not depend on how quick others are.
    const chanceOf = (name: string) => random(seed + numberOf(name))
    const managed = new Managed(project, chanceOf('managed'))
    await managed.deliver()
    await managed.command('run')
    const catalogs = await Catalogs.start(project, chanceOf('proxy'))
    const tagger = new Tagger(catalogs.addressFor('tagger'))
    const storm = new Storm(project, chanceOf, catalogs, managed, tagger)
    await prepare(catalogs)
    const { writers, stop } = await enlist(fleet, { project, catalogs, chanceOf })
    storm.writers = writers
    storm.stopEngines = stop
    await Promise.all(writers.map((writer) => writer.begin()))
    return storm
  }

  /** Lets all of it go on for a while. */
  async rage(seconds: number): Promise<void> {
    const { catalogs, managed, tagger, chanceOf } = this
    const end = Date.now() + seconds * 1000
    let failed = false
    const isOver = () => failed || Date.now() > end
    catalogs.isStormy = true
    const all = [
      ...this.writers.map((writer) => writer.write(isOver)),
      managed.run(isOver),
      managed.maintain(isOver),
      tagger.work(isOver, chanceOf('tagger')),
      catalogs.kill(isOver, chanceOf('killer')),
      catalogs.watch(isOver),
    ].map((one) =>
      one.catch((error) => {
        failed = true
        throw error
      }),
    )
    await Promise.all(all)
    catalogs.isStormy = false
    await this.stopEngines()
  }

  get deeds(): Deed[] {
    return this.writers.flatMap(({ deeds }) => deeds)
  }

  /** What is wrong with the tables of other engines, as an engine reads them. */
  async faults(engine: 'PyIceberg' | 'DuckDB'): Promise<string[]> {
    const faults: string[] = []
    const found = worldOf(await read(engine, this.catalogs.addressFor('reader')), faults)
    faults.push(...faultsOf(begun, this.deeds, found))
    return faults.map((fault) => `${engine}: ${fault}`)
  }

  /** Keeps the lake, and what was done to it, for whoever looks for the reason of faults. */
  async keep(faults: readonly string[]): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-storm-'))
    await cp(this.project.folder, join(folder, 'project'), { recursive: true })
    const { deeds, managed } = this
    const said = { faults, deeds, commands: managed.outputs }
    await writeFile(join(folder, 'deeds.json'), JSON.stringify(said, null, 1))
    return folder
  }

  get summary(): string {
    const { catalogs, managed, tagger, deeds } = this
    const { requests, killed, lost } = catalogs.counts
    const { tenths, most } = catalogs.memory
    return [
      ...summaryOf(deeds),
      `${requests} requests, ${lost} answers lost, ${killed} kills of a catalog`,
      `${tagger.tags.size} tags of silver.orders, ${tagger.refused} appends to it refused`,
      `commands: ${Object.entries(managed.counts)
        .map(([name, n]) => `${n} ${name}`)
        .join(', ')}`,
      `memory of the catalog that lived, by tenths of the time: ${tenths.join(', ')} MiB, at most ${most}`,
    ].join('\n')
  }
}

function numberOf(name: string): number {
  let number = 0
  for (const char of name) number = (number * 31 + char.charCodeAt(0)) | 0
  return number
}

/** What writers did, and how it ended, by their kinds. */
function summaryOf(deeds: readonly Deed[]): string[] {
  const kindOf = ({ writer }: Deed) => writer.replace(/\d+$/, '')
  return [...new Set(deeds.map(kindOf))].map((kind) => {
    const own = deeds.filter((deed) => kindOf(deed) === kind)
    const ended = (as: Deed['ending']) => own.filter(({ ending }) => ending === as)
    const done = ended('done')
    const took = done.map((deed) => deed.took).sort((a, b) => a - b)
    const doings = new Map<string, number>()
    for (const { action } of done) doings.set(action.do, (doings.get(action.do) ?? 0) + 1)
    const what = [...doings].map(([name, n]) => `${n} ${name}`).join(', ')
    return `${kind.padEnd(10)} ${done.length} done (${what}), ${ended('refused').length} refused, ${ended('unknown').length} without an answer; ${took[took.length >> 1] ?? 0} ms in the middle`
  })
}
