import type { Command } from 'commander'
import { type Bronze, fullName } from '../define/dataset.js'
import type { IngestSource } from '../define/source.js'
import { MoraineError, messageOf } from '../errors.js'
import { Batches } from '../run/batches.js'
import { runLake } from '../run/execute.js'
import { recentlySent } from '../run/intake-landing.js'
import { isLoopback } from '../serve/access.js'
import { listen, openInbox, type Receiver } from '../serve/server.js'
import { startEngine, withMemory } from './engine.js'
import { examples } from './examples.js'
import { openProject, print } from './project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .option('--port <port>', 'where to listen', '4000')
    .option(
      '--host <address>',
      'on which address; another than 127.0.0.1 needs tokens, and --behind-proxy',
      '127.0.0.1',
    )
    .option('--name <names...>', 'names under which it is reached, beside localhost')
    .option('--behind-proxy', 'a proxy before it encrypts what is sent')
    .option('--every <seconds>', 'how often what has landed is taken in', '10')
    .addHelpText(
      'after',
      examples(
        ['take rows in from programs of this machine', 'moraine serve'],
        [
          'for others, behind a proxy that encrypts',
          'moraine serve --host 0.0.0.0 --name lake.example.com --behind-proxy',
        ],
      ),
    )
}

interface Options {
  port: string
  host: string
  name?: string[]
  behindProxy?: boolean
  every: string
}

export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json } = await openProject(command)
  const options = command.opts<Options>()
  const port = numberOf('--port', options.port, 0, 65_535)
  const every = numberOf('--every', options.every, 1, 86_400)
  const datasets = lake.datasets.filter(
    (d): d is Bronze => d.tier === 'bronze' && d.from.kind === 'ingest',
  )
  checkAccess(datasets, options)
  const batches = new Batches(storage)
  const state = await log.head()
  const receivers: Receiver[] = await Promise.all(
    datasets.map(async (dataset) => {
      const { keys } = await recentlySent(state, fullName(dataset), batches)
      const inbox = await openInbox(storage, dataset, keys)
      return { dataset, source: dataset.from as IngestSource, inbox }
    }),
  )
  const engine = await startEngine(command)
  const told = (line: object, text: string) =>
    print(
      json || !process.stdout.isTTY
        ? JSON.stringify({ time: new Date().toISOString(), ...line })
        : text,
    )
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort())
  const server = await listen({ port, host: options.host, names: options.name ?? [], receivers })
  const url = `http://${options.host}:${server.port}`
  told({ event: 'listening', url }, `Listening on ${url}; Ctrl-C stops.`)
  for (const { dataset } of receivers)
    told({ event: 'receives', dataset: fullName(dataset) }, `  POST ${url}/ingest/${dataset.name}`)
  const select = datasets.map(fullName)
  const takeIn = async () => {
    if (select.length === 0) return
    try {
      const record = await runLake(lake, { storage, engine, select })
      for (const { dataset, rows, outcome, error } of record.steps)
        if (outcome !== 'unchanged')
          told(
            { event: 'taken in', run: record.run, dataset, rows, outcome, error: error?.message },
            `${outcome === 'failed' ? '✖' : '✔'} ${dataset}  ${error?.message ?? `${rows} rows`}`,
          )
    } catch (error) {
      told({ event: 'failed', error: messageOf(error) }, `✖ ${messageOf(error)}`)
    }
  }
  while (!stop.signal.aborted) {
    await pause(every * 1000, stop.signal)
    if (!stop.signal.aborted) await takeIn()
  }
  await server.close()
  await takeIn()
  await engine.close()
  told({ event: 'stopped' }, 'Stopped: all that was accepted is taken in.')
  return 0
}

/** Whoever is not on this machine must show a token, and must not send it in the clear. */
function checkAccess(datasets: readonly Bronze[], { host, behindProxy }: Options): void {
  if (isLoopback(host)) return
  const open = datasets.find(({ from }) => (from as IngestSource).token === undefined)
  if (open)
    throw new MoraineError(
      'usage',
      `${fullName(open)} takes rows from anybody who reaches ${host}`,
      {
        hint: "Give it a token: from: ingest({ token: secret('env:EVENTS_TOKEN') })",
      },
    )
  if (!behindProxy)
    throw new MoraineError('usage', `On ${host} tokens and rows would travel in the clear`, {
      hint: 'Put a proxy before it that encrypts, and say so: --behind-proxy',
    })
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw new MoraineError(
    'usage',
    `${option} ${text} is not a whole number from ${least} to ${most}`,
  )
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done)
  })
}
