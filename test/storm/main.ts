/*
 * npm run storm -- [--root FOLDER|s3://…] [--cycles N | --minutes N | --seconds N] [--seed S]
 * [--keep]: tries to break a lake.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cycle } from './events.js'
import { Counts, Fault, Round } from './round.js'
import { Workers } from './workers.js'

const help = `npm run storm -- [options]

Tries to break a lake: rows come as files, as requests and from an API, good
and bad, late and twice, while runs are killed, stopped and woken at any moment,
and two at once; it is rolled back, vacuumed, optimized, rebuilt, copied and
redefined, and bits of its files are flipped. After each cycle all that it holds
is compared with a model that knows only what was delivered: no row may be lost
or doubled, and no reader may ever see half of a change.

  --root WHERE    a folder or s3://bucket/prefix; each lake is made in a folder
                  of its own there, storm-SEED (default: a temporary folder)
  --cycles N      how many cycles (default: 200)
  --minutes N     stop after so many minutes
  --seconds N     stop after so many seconds
  --seed S        draws the same events again (default: by the clock)
  --keep          leave the lakes there at the end
  --help          show this

Exit code: 0 all held, 1 something did not, 2 a mistake, 130 ended with Ctrl-C.
A bucket needs what any lake in one needs: AWS_ACCESS_KEY_ID and so on.

  npm run storm
  npm run storm -- --root /mnt/nas/test --minutes 60
  npm run storm -- --root 's3://bucket/test?endpoint=http://127.0.0.1:9000'`

/** Cycles of one lake: with more its log grows long, and each cycle slow. */
const CYCLES = 40

interface Options {
  root: string | undefined
  cycles: number
  seconds: number
  seed: number
  keep: boolean
}

function mistake(text: string): never {
  console.error(`${text}\n\nnpm run storm -- --help shows the options.`)
  process.exit(2)
}

function options(): Options {
  const number = (name: string, text: string | undefined, otherwise: number) => {
    if (text === undefined) return otherwise
    if (!/^\d{1,15}$/.test(text)) mistake(`--${name} ${text} is not a whole number`)
    return Number(text)
  }
  try {
    const { values } = parseArgs({
      options: {
        root: { type: 'string' },
        cycles: { type: 'string' },
        minutes: { type: 'string' },
        seconds: { type: 'string' },
        seed: { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      console.log(help)
      process.exit(0)
    }
    const { minutes, seconds: told } = values
    if (minutes !== undefined && told !== undefined) mistake('Give --minutes or --seconds')
    const seconds = number(
      'seconds',
      told,
      60 * number('minutes', minutes, Number.POSITIVE_INFINITY),
    )
    const most = Number.isFinite(seconds) ? Number.POSITIVE_INFINITY : 200
    return {
      root: values.root,
      cycles: number('cycles', values.cycles, most),
      seconds,
      seed: number('seed', values.seed, Date.now() % 1_000_000),
      keep: values.keep,
    }
  } catch (error) {
    return mistake((error as Error).message)
  }
}

/** A place below a root, whose settings follow a `?`. */
function below(root: string, name: string): string {
  const [place = '', ...settings] = root.split('?')
  const path = /^[a-z0-9]+:\/\//i.test(root) ? place.replace(/\/$/, '') : resolve(place)
  return [`${path}/${name}`, ...settings].join('?')
}

class Storm {
  private readonly counts = new Counts()
  private readonly workers = new Workers({ ...process.env, NO_COLOR: '1', NODE_NO_WARNINGS: '1' })
  private readonly begun = Date.now()
  private readonly isTerminal = process.stdout.isTTY === true
  private told = 0
  stopped = false

  constructor(private readonly options: Options) {}

  private get isOver(): boolean {
    const { cycles, seconds } = this.options
    const late = Date.now() - this.begun >= seconds * 1000
    return this.stopped || late || this.counts.cycles >= cycles
  }

  async run(): Promise<number> {
    const own = await mkdtemp(join(tmpdir(), 'moraine-storm-'))
    const { seed, keep, root = own } = this.options
    console.log(`Seed ${seed}, on ${root.replace(/\?.*/, '')}. Ctrl-C ends it.`)
    this.workers.fill()
    let failed = false
    for (let number = 0; !this.isOver && !failed; number++) {
      const name = `storm-${seed + number}`
      const place = { root: below(root, name), folder: join(own, `project-${seed + number}`) }
      failed = !(await this.round(seed + number, place))
    }
    this.workers.close()
    this.summary()
    if (!failed && !keep) await rm(own, { recursive: true, force: true })
    if (failed) return 1
    if (!this.stopped) return 0
    console.log(`Ended by Ctrl-C. The same events again: npm run storm -- --seed ${seed}`)
    return 130
  }

  /** One lake; false when it did not hold. */
  private async round(seed: number, place: { root: string; folder: string }): Promise<boolean> {
    const { workers, counts } = this
    const round = new Round({ ...place, seed, workers, counts })
    const { told, model } = round
    let done = 0
    try {
      if ((await round.storage.list('')).length > 0)
        throw new Error(`${place.root} holds something already: give another --seed`)
      await round.open()
      while (done < CYCLES && !this.isOver) {
        told.push(`cycle ${++done}`)
        await cycle(round)
        counts.cycles++
        this.progress()
      }
      return true
    } catch (error) {
      this.broken(error, round, seed, done)
      return false
    } finally {
      counts.deliveries += model.deliveries.length
      counts.rows += model.deliveries.reduce((sum, { rows }) => sum + rows.length, 0)
      await round.close()
      const broke = told.includes('broken')
      if (!broke && !this.options.keep) await round.remove()
      else await writeFile(join(place.folder, 'events.txt'), `${told.join('\n')}\n`)
    }
  }

  private broken(error: unknown, { told, root, folder }: Round, seed: number, done: number): void {
    this.clear()
    const from = told.lastIndexOf(`cycle ${done - 1}`)
    const what = error instanceof Fault ? error.message : (error as Error).stack
    console.error(`\n✖ It did not hold, in cycle ${done} of seed ${seed}:\n${what}\n`)
    console.error(`What happened before:\n  ${told.slice(Math.max(0, from)).join('\n  ')}`)
    console.error(`\nThe lake is left in ${root.replace(/\?.*/, '')}, its project in ${folder}.`)
    console.error(`The same events again: npm run storm -- --seed ${seed} --cycles ${done}`)
    told.push('broken')
  }

  private clear(): void {
    if (this.isTerminal) process.stdout.write('\r\x1b[K')
  }

  private get rate(): string {
    const { cycles } = this.counts
    return `${Math.round((cycles * 60_000) / Math.max(1, Date.now() - this.begun))} a minute`
  }

  /** One line that changes on a terminal; elsewhere a line every 10 seconds. */
  private progress(): void {
    const now = Date.now()
    if (now - this.told < (this.isTerminal ? 200 : 10_000)) return
    this.told = now
    const { cycles, commits } = this.counts
    const { killed, commands } = this.workers.counts
    const line = `${cycles} cycles, ${this.rate}: ${commands} commands, ${killed} killed, ${commits} commits`
    if (this.isTerminal) process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns)}`)
    else console.log(line)
  }

  private summary(): void {
    this.clear()
    const { counts } = this
    const { commands, killed, frozen, terminated } = this.workers.counts
    const list = (of: ReadonlyMap<string, number>) =>
      [...of].map(([name, n]) => `${n} ${name}`).join(', ')
    const line = (name: string, text: string) => {
      const lines = wrapped(text, 66)
      console.log(lines.map((one, i) => `${(i === 0 ? name : '').padEnd(13)} ${one}`).join('\n'))
    }
    console.log()
    line('cycles', `${counts.cycles}, ${this.rate}`)
    line('delivered', `${counts.deliveries} files, requests and extracts with ${counts.rows} rows`)
    line('events', list(counts.events))
    line('commands', `${commands}: ${list(this.workers.byCommand)}`)
    line('struck', `${killed} killed, ${frozen} stopped and woken, ${terminated} terminated`)
    line('commits', `${counts.commits}, each read as its readers saw it`)
    line('bits flipped', `${counts.flips}, of which verify --deep found ${counts.flipsFound}`)
  }
}

function wrapped(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) as string
    if (last.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

const storm = new Storm(options())
process.on('SIGINT', () => {
  if (storm.stopped) process.exit(130)
  storm.stopped = true
})
process.exit(await storm.run())
