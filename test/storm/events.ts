import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { flip } from './flips.js'
import { Fault, type Round } from './round.js'

/** Something that happens to a lake. */
type Happening = (round: Round) => Promise<void>

/** Brings rows to the lake, from each kind of source. */
export async function deliver(round: Round): Promise<void> {
  const { deliveries } = round
  const drawn = round.chance()
  if (drawn < 0.4) await deliveries.drop()
  else if (drawn < 0.5) await deliveries.dropAgain()
  else if (drawn < 0.8) await deliveries.list()
  else deliveries.offer()
}

/** A run, to which anything may happen. */
async function oneRun(round: Round): Promise<void> {
  await round.command(['run'], round.fate())
}

/** Two commands at once, of which one may be stopped or killed: whoever is slower gives way. */
export async function atOnce(round: Round): Promise<void> {
  const other = round.pick([
    ['run'],
    ['run'],
    ['optimize'],
    ['run', '--full'],
    ['replay', 'items'],
    ['vacuum', '--delete', '--grace', '1h'],
    ['vacuum', '--delete', '--grace', '0s'],
    ['query', 'select count(*) from silver.items'],
  ])
  const fates = [round.fate(), round.fate()]
  const commands = [['run'], other]
  const running = await Promise.all(commands.map((argv, i) => round.start(argv, fates[i])))
  const outcomes = await Promise.all(running.map(({ end }) => end))
  outcomes.forEach((outcome, i) => {
    const refusals = [round.lostRace, ...(commands[i]?.[0] === 'replay' ? [otherDefinition] : [])]
    round.judge(commands[i] as string[], outcome, fates[i], ...refusals)
  })
}

/**
 * A run that is stopped, and of which nothing says that it is there, as if its machine were silent;
 * files are removed that it has written and not committed. It goes on, and publishes nothing of
 * which files are gone.
 */
export async function stoppedWriter(round: Round): Promise<void> {
  const writer = await round.start(['run'])
  const isOver = await Promise.race([
    writer.end.then(() => true),
    sleep(round.below(700)).then(() => false),
  ])
  if (!isOver) {
    writer.signal('SIGSTOP')
    round.workers.counts.frozen++
    for (const { path } of await round.storage.list('_moraine/live/'))
      await round.storage.remove(path)
    await round.command(['vacuum', '--delete', '--grace', '0s'])
    writer.signal('SIGCONT')
  }
  // What it has written itself may be gone when it reads that again, before it would publish it.
  round.judge(['run'], await writer.end, undefined, /files of this run| is missing/)
}

/** A server for a while, to which requests are sent, and files dropped beside it. */
async function serve(round: Round): Promise<void> {
  const server = await round.start(['serve', '--port', '0', '--every', '1s'])
  const ended = server.end.then(() => true)
  const addressOf = () => /http:\/\/127\.0\.0\.1:\d+/.exec(server.text())?.[0]
  for (let i = 0; !addressOf(); i++) {
    const over = await Promise.race([ended, sleep(20).then(() => false)])
    if (over || i > 1500) throw new Fault(`moraine serve does not listen:\n${server.text()}`)
  }
  const url = addressOf() as string
  const sending: Promise<void>[] = []
  const requests = 1 + round.below(6)
  for (let i = 0; i < requests; i++) {
    sending.push(round.deliveries.send(url))
    if (round.chance() < 0.4) await deliver(round)
    if (round.chance() < 0.5) await sleep(round.below(150))
  }
  const drawn = round.chance()
  if (drawn < 0.15) {
    server.signal('SIGSTOP')
    round.workers.counts.frozen++
    await sleep(round.below(400))
    server.signal('SIGCONT')
  }
  const gentle = drawn > 0.5
  if (gentle) await Promise.all(sending)
  await sleep(round.below(700))
  server.signal(gentle ? 'SIGTERM' : 'SIGKILL')
  const outcome = await server.end
  await Promise.all(sending)
  round.judge(['serve'], outcome, { kind: gentle ? 'terminate' : 'kill', after: 0 })
}

const refusedRollback = /would be lost|was ingested again since|is no longer visible/

/**
 * Back to an earlier commit: its tables are there again; what arrived since stays, unless it is to
 * be undone.
 */
async function rollback(round: Round): Promise<void> {
  const points = [...round.points.keys()].slice(-15)
  const to = round.pick(points)
  const point = round.points.get(to)
  if (point === undefined) return
  const drawn = round.chance()
  // What a bucket without versions was asked for stays in it, and would come again.
  const undo = drawn < 0.3 && round.isInFolder
  const loss = drawn < 0.15
  const options = [...(undo ? ['--undo-intake'] : []), ...(loss ? ['--allow-loss'] : [])]
  const before = (await round.log.head()).number
  const argv = ['rollback', '--to', String(to), ...options]
  const { code } = await round.command(argv, round.fate(), refusedRollback)
  const state = await round.log.head()
  const entry = state.number > before ? await round.log.entry(state.number) : undefined
  if (entry && entry.commit.changes.rollback !== to)
    throw new Fault(`commit ${state.number} is no rollback to ${to}`)
  if (!entry && code !== 0) return
  const wasIn = round.model.deliveries.filter(({ where }) => where === 'in')
  round.model.rollBack(point, undo)
  const undone = wasIn.filter(({ where }) => where === 'undone')
  if (undone.length > 0 && !loss)
    throw new Fault(`a rollback lost ${undone.map(({ name }) => name).join(', ')} without a word`)
  await round.isAsRemembered(to, state, `brought back as ${state.number}`)
}

/** A batch goes; which deliveries it held is known from the comparison before. */
async function discardBatch(round: Round): Promise<void> {
  if (round.batches.length === 0) return
  const { dataset, batch, deliveries } = round.pick(round.batches)
  await round.command(['discard-batch', dataset, batch], round.fate())
  const { batches } = await round.log.head()
  const pointer = batches[dataset]?.find((one) => one.batch === batch)
  if (pointer?.discarded === undefined) return
  for (const delivery of deliveries) delivery.where = 'discarded'
}

/**
 * Another definition, of which the rows follow with the next run, or with a replay of what was
 * discarded.
 */
async function change(round: Round): Promise<void> {
  const { limit, partitioned, rewritten } = round.settings
  const drawn = round.chance()
  // None that was there before: that would be refused as an older one.
  if (drawn < 0.6)
    round.settings = { limit: limit < 600 ? limit + 101 : limit - 99, partitioned, rewritten }
  else if (drawn < 0.8) round.settings = { limit: limit + 1, partitioned: !partitioned, rewritten }
  else round.settings = { limit, partitioned, rewritten: rewritten + 1 }
  round.told.push(`lake.ts: ${JSON.stringify(round.settings)}`)
  await round.define()
  if (round.chance() < 0.6) await replay(round)
}

/**
 * Discarded rows judged again; a table that another definition has built, by a rollback or before a
 * run that was killed, does not take them alone.
 */
const otherDefinition = /cannot be replayed on their own/

async function replay(round: Round): Promise<void> {
  await round.command(['replay', 'items'], round.fate(), otherDefinition)
}

async function copy(round: Round): Promise<void> {
  const to = join(round.folder, 'copy')
  try {
    const { code } = await round.command(['copy', to], round.fate())
    if (code === 0) await round.isCopied(to)
  } finally {
    await rm(to, { recursive: true, force: true })
  }
}

const just =
  (...argv: string[]): Happening =>
  async (round) => {
    await round.command(argv, round.fate())
  }

/** What somebody does to a lake while nothing else goes on, and how often. */
const byHand: [string, number, Happening][] = [
  ['rollback', 6, rollback],
  ['discard-batch', 3, discardBatch],
  ['definition change', 4, change],
  ['vacuum', 2, just('vacuum', '--delete', '--grace', '0s')],
  ['vacuum --history', 1, just('vacuum', '--delete', '--grace', '0s', '--history', '5s')],
  ['optimize', 3, just('optimize')],
  ['replay', 2, replay],
  ['rebuild', 2, just('rebuild', 'dropped', '--from', 'archive')],
  ['full run', 2, just('run', '--full')],
  ['copy', 1, copy],
  ['bit flip', 4, flip],
]

/** What goes on while rows come. */
const stress: [string, number, Happening][] = [
  ['run', 5, oneRun],
  ['two at once', 3, atOnce],
  ['serve', 3, serve],
  ['stopped writer', 1, stoppedWriter],
  ['nothing', 1, async () => {}],
]

async function oneOf(round: Round, events: typeof byHand): Promise<void> {
  let left = round.chance() * events.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [name, weight, happen] of events) {
    left -= weight
    if (left >= 0) continue
    round.counts.event(name)
    await happen(round)
    return
  }
}

/**
 * Something is done by hand, rows come, something goes on meanwhile; then the lake is what the
 * model says.
 */
export async function cycle(round: Round): Promise<void> {
  if (round.chance() < 0.6) await oneOf(round, byHand)
  const count = 1 + round.below(4)
  for (let i = 0; i < count; i++) await deliver(round)
  await oneOf(round, stress)
  await round.settle()
}
