import type { Command } from 'commander'
import { type AnyDataset, type Bronze, fullName } from '../define/dataset.js'
import type { InboxSource, IngestSource } from '../define/source.js'
import { MoraineError } from '../errors.js'
import { findLakeFile } from '../load/load.js'
import { Threads } from '../load/threads.js'
import { unscheduled } from '../plan/jobs.js'
import { Batches } from '../run/batches.js'
import { recentlySent } from '../run/sent-requests.js'
import { isLoopback } from '../serve/access.js'
import { Keeper } from '../serve/keeper.js'
import { listen, openInbox, type Receiver } from '../serve/server.js'
import { startEngine, withMemory } from './engine.js'
import { examples } from './examples.js'
import { ProcessLog } from './output/process-log.js'
import { whenOf } from './output/when.js'
import { bindNewSql } from './plan.js'
import { openProject, type Project } from './project.js'

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
    .option(
      '--every <interval>',
      'how often to look for what has arrived unannounced: 2s, 5m, or seconds',
      '10s',
    )
    .option('--jobs <jobs>', 'jobs that run at the same time', '1')
    .addHelpText(
      'after',
      examples(
        ['run what is scheduled, and what arrives', 'moraine serve'],
        [
          'take rows in from others, behind a proxy that encrypts',
          'moraine serve --host 0.0.0.0 --name lake.example.com --behind-proxy',
        ],
      ),
    )
}

interface Options {
  port: number
  host: string
  name?: string[]
  behindProxy?: boolean
  every: number
  jobs: number
}

export async function run(command: Command): Promise<number> {
  const project = await openProject(command)
  const { lake, storage, log: commits, folder, json } = project
  const options = command.opts<Options>()
  const { port, every, jobs: concurrency } = options
  const sent = bronzeOf(lake.datasets, 'ingest')
  const dropped = bronzeOf(lake.datasets, 'inbox')
  checkAccess(sent, dropped, options)
  // What a job's columns show to be wrong later is told by that job's run.
  await bindNewSql(lake.datasets, await commits.head(), storage, () => true)
  const receivers = await receiversOf(project, sent)
  const javascript = new Threads(findLakeFile(folder))
  let log: ProcessLog | undefined
  const keeper = new Keeper({
    lake,
    storage,
    startEngine: () => startEngine(command, concurrency),
    javascript,
    concurrency,
    sweep: every * 1000,
    onEvent: (event) => log?.event(event),
  })
  log = new ProcessLog(json || !process.stdout.isTTY, keeper.jobs)
  const stopped = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        process.once(name, () => process.exit(130))
        resolve()
      })
    }
  })
  const server = await listen({
    port,
    host: options.host,
    names: options.name ?? [],
    receivers,
    listeners: dropped.map((dataset) => ({
      dataset: dataset.name,
      token: (dataset.from as InboxSource).token,
      notify: () => keeper.notify(fullName(dataset)),
    })),
    ...metricsFor(options.host, () => keeper.metrics.text()),
  })
  const url = `http://${options.host}:${server.port}`
  log.tell({ event: 'listening', url }, `Listening on ${url}; Ctrl-C stops.`)
  for (const { dataset } of receivers)
    log.tell(
      { event: 'receives', dataset: fullName(dataset) },
      `  POST ${url}/ingest/${dataset.name}`,
    )
  for (const job of keeper.jobs)
    log.tell(
      { event: 'job', job: job.name, when: whenOf(job) },
      `  ${job.name}  ${whenOf(job)}: ${job.datasets.map(fullName).join(', ')}`,
    )
  const others = unscheduled(lake, keeper.jobs)
  if (keeper.jobs.length > 0 && others.length > 0)
    log.tell(
      { event: 'not scheduled', datasets: others.map(fullName) },
      `  Nobody runs ${others.map(fullName).join(', ')}: give a schedule to them, or to what they read.`,
      'warn',
    )
  await keeper.start()
  await stopped
  log.tell({ event: 'stopping' }, 'Stopping …')
  await keeper.stop()
  await server.close()
  if (sent.length > 0) await keeper.runNow(sent)
  await keeper.close()
  await javascript.close()
  const text = receivers.length > 0 ? 'Stopped: all that was accepted is taken in.' : 'Stopped.'
  log.tell({ event: 'stopped' }, text)
  return 0
}

/** Whoever is not on this machine must show MORAINE_METRICS_TOKEN; without one there is nothing to see. */
function metricsFor(host: string, text: () => string) {
  const token = process.env.MORAINE_METRICS_TOKEN
  return isLoopback(host) || token ? { metrics: { text, token } } : {}
}

async function receiversOf({ storage, log }: Project, datasets: readonly Bronze[]) {
  const batches = new Batches(storage)
  const state = await log.head()
  return Promise.all(
    datasets.map(async (dataset): Promise<Receiver> => {
      const { requests } = await recentlySent(state, fullName(dataset), batches)
      const inbox = await openInbox(storage, dataset, requests)
      return { dataset, source: dataset.from as IngestSource, inbox }
    }),
  )
}

function bronzeOf(datasets: readonly AnyDataset[], kind: 'ingest' | 'inbox'): Bronze[] {
  return datasets.filter((d): d is Bronze => d.tier === 'bronze' && d.from.kind === kind)
}

/** Whoever is not on this machine must show a token, and must not send it in the clear. */
function checkAccess(
  sent: readonly Bronze[],
  dropped: readonly Bronze[],
  { host, behindProxy }: Options,
): void {
  if (isLoopback(host)) return
  const tokenOf = ({ from }: Bronze) => (from as IngestSource | InboxSource).token
  const open = [...sent, ...dropped].find((dataset) => tokenOf(dataset) === undefined)
  if (open)
    throw new MoraineError(
      'usage',
      `${fullName(open)} takes ${open.from.kind === 'ingest' ? 'rows' : 'events'} from anybody who reaches ${host}`,
      {
        hint: `Give it a token: from: ${open.from.kind}({ token: secret('env:EVENTS_TOKEN') })`,
      },
    )
  if (!behindProxy)
    throw new MoraineError('usage', `On ${host} tokens and rows would travel in the clear`, {
      hint: 'Put a proxy before it that encrypts, and say so: --behind-proxy',
    })
}
