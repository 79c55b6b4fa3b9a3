import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { recentlySent } from '../../../bronze/ingest/sent-requests.js'
import { isLoopback } from '../../../define/access/encrypted.js'
import { fullName } from '../../../define/dataset.js'
import type { AnyDataset, Bronze } from '../../../define/model.js'
import type { InboxSource, IngestSource } from '../../../define/source.js'
import { MoraineError } from '../../../errors.js'
import { findLakeFile } from '../../../load/load.js'
import { Threads } from '../../../load/threads.js'
import { trialsOf } from '../../../load/trial.js'
import type { CommitLog } from '../../../log/log.js'
import { unscheduled } from '../../../plan/jobs.js'
import { endNow } from '../../../process/end-now.js'
import { HeldBytes } from '../../../query/service/held-bytes.js'
import { bindNewSql } from '../../../run/prepare.js'
import { checkAlerts } from '../../../serve/alerts.js'
import { Daemon } from '../../../serve/daemon.js'
import { IngestBuffer } from '../../../serve/ingest-buffer.js'
import { listen, type Receiver, type RunningServer } from '../../../serve/server.js'
import { variable } from '../../../settings.js'
import { abortController } from '../../../signals.js'
import { Batches } from '../../../step/batches.js'
import { Externals } from '../../../step/external/externals.js'
import { backoff, PATIENT } from '../../../storage/retry.js'
import type { RetryingStorage } from '../../../storage/retrying.js'
import { bindsOn } from '../../binds.js'
import { startEngine, withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import { ProcessLog } from '../../output/process-log.js'
import { whenOf } from '../../output/when.js'
import { openProject, type Project } from '../../project.js'
import { checkCatalogAccess, openCatalog, tellCatalog } from './serve-catalog.js'
import {
  checkQueryAccess,
  type OpenedQuery,
  openQuery,
  type TlsFiles,
  tellQuery,
} from './serve-query.js'
import { openStepEngines, withEngine, workerOptions, workersOf } from './step-engines.js'

export function define(command: Command): Command {
  return withEngine(withMemory(command))
    .option('--port <port>', 'port to listen on', '4000')
    .option(
      '--host <address>',
      'address to listen on; any other than 127.0.0.1 requires tokens and --behind-proxy',
      '127.0.0.1',
    )
    .option('--name <names...>', 'host names of the server, in addition to localhost')
    .option('--behind-proxy', 'a proxy in front of the server encrypts traffic')
    .option(
      '--every <interval>',
      'how often to check for new files without a notification: 2s, 5m, or seconds',
      '10s',
    )
    .option(
      '--buffer <mebibytes>',
      'memory for requests being received, in MiB; beyond it, senders are asked to retry',
      '64',
    )
    .option(
      '--catalog',
      'offer the lake to other engines as an Iceberg REST catalog, under /iceberg; writing requires MORAINE_TOKEN, or a principal of access in lake.ts',
    )
    .option(
      '--allow-location <prefixes...>',
      'with --catalog, locations outside the lake where tables of other engines may be stored',
    )
    .option(
      '--no-credentials',
      'with --catalog, give engines no temporary credentials for the bucket: they need keys of their own',
    )
    .option(
      '--query',
      'answer SQL over HTTP, and by the protocols of PostgreSQL, Athena (with Glue and S3) and agents (MCP); for principals of lake.ts, MORAINE_TOKEN, or keys that are made for this machine',
    )
    .option(
      '--tls-cert <file>',
      'with --query, a certificate in PEM, so that clients of PostgreSQL may connect from other machines',
    )
    .option('--tls-key <file>', 'its key, in PEM')
    .option('--jobs <jobs>', 'number of jobs to run at the same time', '1')
    .addHelpText(
      'after',
      examples(
        ['run scheduled jobs, and ingest what arrives', 'moraine serve'],
        [
          'accept rows from other machines, behind a proxy that encrypts',
          'moraine serve --host 0.0.0.0 --name lake.example.com --behind-proxy',
        ],
        ['answer SQL of programs, BI tools and agents', 'moraine serve --query'],
        [
          'let Spark, Trino or PyIceberg read the lake, and write namespaces of their own',
          'MORAINE_TOKEN=… moraine serve --catalog',
        ],
      ),
    )
}

interface Options extends TlsFiles {
  port: number
  host: string
  name?: string[]
  behindProxy?: boolean
  catalog?: boolean
  query?: boolean
  allowLocation?: string[]
  credentials: boolean
  every: number
  jobs: number
  /** In MiB. */
  buffer: number
}

export async function run(command: Command): Promise<number> {
  const ending = abortController()
  const project = await openProject(command, {
    patience: { total: PATIENT, signal: ending.signal },
  })
  const { lake, storage, folder, json } = project
  const options = command.opts<Options>()
  const { every, jobs: concurrency } = options
  checkAccess(project, options)
  await checkTokens(lake.datasets)
  await checkAlerts(lake.alerts)
  const javascript = new Threads(findLakeFile(folder))
  const workers = workersOf(command, lake)
  const engines = await openStepEngines(command, project, [], { engines: concurrency })
  let log: ProcessLog | undefined
  const daemon = new Daemon({
    lake,
    storage,
    log: project.log,
    impatient: storage.with({ total: 0 }),
    startEngine: () => startEngine(command, project.house, { engines: concurrency, workers }),
    javascript,
    ...workerOptions(command, lake, engines),
    tryApart: trialsOf(project.trialPlace),
    concurrency,
    sweep: every * 1000,
    onEvent: (event) => log?.event(event),
  })
  log = new ProcessLog(json || !process.stdout.isTTY, daemon.jobs)
  const stop = abortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => {
      process.once(name, () => endNow(name))
      stop.abort()
    })
  try {
    await serveUntil({ project, options, daemon, log, stop, ending })
    return 0
  } finally {
    stop.abort()
    ending.abort()
    await daemon.close()
    await engines?.close()
    await javascript.close()
  }
}

/** A server, as long as it lives. */
interface Serving {
  project: Project
  options: Options
  daemon: Daemon
  log: ProcessLog
  /** It is to stop. */
  stop: AbortController
  /** Storage is not waited for any more. */
  ending: AbortController
}

async function serveUntil({ project, options, daemon, log, stop, ending }: Serving): Promise<void> {
  const sent = bronzeOf(project.lake.datasets, 'ingest')
  const receivers: Receiver[] = sent.map((dataset) => ({
    dataset,
    source: dataset.from as IngestSource,
  }))
  const stopped = new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve()
    stop.signal.addEventListener('abort', () => resolve())
  })
  const connected = connect(project, receivers, daemon, stop.signal)
  connected.catch(() => {})
  // Whoever sees that it listens should be able to send, unless storage keeps everybody waiting.
  const ready = connected.then((isOpen) => (isOpen ? daemon.watchFolders() : undefined))
  ready.catch(() => {})
  await Promise.race([ready, stopped, sleep(PROMPT, undefined, { ref: false })])
  const query = options.query ? await openQuery(project, log, options) : undefined
  const server = await listenFor(project, options, { daemon, log, query }, receivers)
  const url = `http://${options.host}:${server.port}`
  tellBeginning(log, project, daemon, receivers, url)
  if (query) tellQuery(log, url, query, project.lake.name)
  if (options.catalog) tellCatalog(log, `${url}/iceberg`, project.lake)
  const begun = connected.then((isOpen) => {
    if (isOpen && !stop.signal.aborted) daemon.start()
  })
  let up = false
  try {
    await Promise.race([stopped, begun.then(() => stopped)])
    log.tell({ event: 'stopping' }, 'Stopping …')
    // What is going on may wait for storage, but nobody wants to wait for that without end.
    up = daemon.health.state.up
    setTimeout(() => ending.abort(), up ? ENDING : 0).unref()
    await daemon.stop()
    await begun.catch(() => {})
  } finally {
    await server.close()
    await query?.close()
  }
  const taken = up && receivers.some(({ buffer }) => buffer) ? await ingestLast(daemon, sent) : up
  const all =
    receivers.length > 0 ? 'Stopped. Everything that was accepted has been ingested.' : 'Stopped.'
  const text = taken
    ? all
    : 'Stopped. What was accepted is stored in the lake; the next run ingests it.'
  log.tell({ event: 'stopped' }, text, taken ? 'info' : 'warn')
}

async function listenFor(
  { lake, storage }: Project,
  { port, host, name = [], buffer, catalog, ...options }: Options,
  { daemon, log, query }: { daemon: Daemon; log: ProcessLog; query: OpenedQuery | undefined },
  receivers: readonly Receiver[],
): Promise<RunningServer> {
  const largest = Math.max(0, ...receivers.map(({ source }) => source.maxBytes))
  const opened = catalog
    ? await openCatalog(
        { lake, storage },
        {
          allowLocations: options.allowLocation ?? [],
          behindProxy: options.behindProxy === true,
          credentials: options.credentials,
        },
        log,
      )
    : undefined
  const server = await listen({
    port,
    host,
    names: name,
    receivers,
    health: daemon.health,
    held: new HeldBytes(Math.max(buffer * 2 ** 20, largest), (bytes) => daemon.metrics.held(bytes)),
    listeners: bronzeOf(lake.datasets, 'inbox').map((dataset) => ({
      dataset: dataset.name,
      token: (dataset.from as InboxSource).token,
      notify: () => daemon.notify(fullName(dataset)),
    })),
    ...metricsFor({ host, behindProxy: options.behindProxy === true }, daemon, lake.name),
    ...(opened ? { catalog: opened.app } : {}),
    ...query?.protocols,
    onError: (error) => log.failed(error),
  })
  const close = async () => {
    await server.close()
    await opened?.audit.flush()
  }
  return { ...server, close }
}

/** Milliseconds after which it listens although the lake could not be read yet. */
const PROMPT = 3000
/** Milliseconds for which storage is still waited for once it was told to stop. */
const ENDING = 20_000

/** Whether all that was accepted is in the lake's tables. */
async function ingestLast(daemon: Daemon, sent: readonly Bronze[]): Promise<boolean> {
  return daemon.runNow(sent).then(
    ({ outcome }) => outcome === 'done',
    () => false,
  )
}

/** Mistakes that waiting does not change. */
const LASTING: readonly string[] = ['definition', 'usage', 'corrupt']

/**
 * Reads the lake for the first time, for as long as that takes, so that rows can be accepted.
 *
 * @returns whether it could, before it was told to stop.
 * @throws MoraineError where the definition, or the lake itself, is wrong.
 */
async function connect(
  { lake, storage, log }: Project,
  receivers: readonly Receiver[],
  daemon: Daemon,
  signal: AbortSignal,
): Promise<boolean> {
  const { health } = daemon
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      // From here on no other lake is taken for it.
      await daemon.beginLake()
      // What a job's columns show to be wrong later is told by that job's run.
      const state = await log.head()
      const externals = await Externals.of(storage, state, lake.datasets, { files: false })
      const bind = bindsOn(storage, state, externals)
      await bindNewSql(lake.datasets, externals.on(state), bind, () => true)
      for (const receiver of receivers) await openReceiver(receiver, storage, log, daemon)
      return true
    } catch (error) {
      if (signal.aborted) break
      if (error instanceof MoraineError && LASTING.includes(error.kind)) throw error
      if (await health.answers(error)) {
        // Storage is there, so that something else is wrong, and it may be wrong for long.
        if (attempt >= ATTEMPTS) throw error
        await sleep(backoff(attempt, 200), undefined, { signal }).catch(() => {})
      } else await health.sound(signal)
    }
  }
  return false
}

/** How often the lake is read that answers, and can't be read. */
const ATTEMPTS = 5
/** Milliseconds for which a request waits for storage that does not answer. */
const REQUEST_PATIENCE = 5000

/**
 * What has landed is read first: what a run ingests meanwhile is in the state that is read after
 * it.
 */
async function openReceiver(
  receiver: Receiver,
  storage: RetryingStorage,
  log: CommitLog,
  daemon: Daemon,
): Promise<void> {
  const { dataset } = receiver
  const buffer = new IngestBuffer(
    storage.with({ total: REQUEST_PATIENCE }),
    dataset.name,
    new Map(),
    { refuseOther: () => daemon.refuseOther() },
  )
  await buffer.load()
  const { requests } = await recentlySent(await log.head(), fullName(dataset), new Batches(storage))
  buffer.learn(requests)
  receiver.buffer = buffer
}

/** Says where it listens, what it takes, and what it runs when. */
function tellBeginning(
  log: ProcessLog,
  { lake, left }: Project,
  daemon: Daemon,
  receivers: readonly Receiver[],
  url: string,
): void {
  log.tell({ event: 'listening', url }, `Listening on ${url}; press Ctrl-C to stop.`)
  for (const [what, text] of Object.entries(left)) log.tell({ event: 'left', what }, `  ${text}`)
  for (const { dataset } of receivers)
    log.tell(
      { event: 'receives', dataset: fullName(dataset) },
      `  POST ${url}/ingest/${dataset.name}`,
    )
  for (const job of daemon.jobs)
    log.tell(
      { event: 'job', job: job.name, when: whenOf(job) },
      `  ${job.name}  ${whenOf(job)}: ${job.datasets.map(fullName).join(', ')}`,
    )
  const others = unscheduled(lake, daemon.jobs)
  if (others.length > 0)
    log.tell(
      { event: 'not scheduled', datasets: others.map(fullName) },
      `  No schedule runs ${others.map(fullName).join(', ')}: add a schedule to them or to their inputs.`,
      'warn',
    )
}

/**
 * Whoever is not on this machine must show MORAINE_METRICS_TOKEN; without one there is nothing to
 * see. What a proxy passes on comes from anywhere.
 */
function metricsFor(
  { host, behindProxy }: { host: string; behindProxy: boolean },
  daemon: Daemon,
  lake: string,
) {
  const token = variable('MORAINE_METRICS_TOKEN')
  const text = () => daemon.metricsText()
  const status = () => statusOf(daemon, lake)
  return (isLoopback(host) && !behindProxy) || token ? { metrics: { text, status, token } } : {}
}

/** What `GET /status` shows. */
function statusOf(daemon: Daemon, lake: string): object {
  const { state } = daemon.health
  const time = (at: number) => new Date(at).toISOString()
  return {
    lake,
    status: state.up ? 'ok' : 'storage is away',
    storage: state.up
      ? { up: true }
      : { ...state, since: time(state.since), retryAt: time(state.retryAt) },
    problems: daemon.problems,
    jobs: daemon.jobs.map(({ name }) => ({
      job: name,
      running: daemon.isRunning(name),
      lastSuccess: daemon.lastSuccess(name)?.toISOString() ?? null,
    })),
  }
}

function bronzeOf(datasets: readonly AnyDataset[], kind: 'ingest' | 'inbox'): Bronze[] {
  return datasets.filter((d): d is Bronze => d.tier === 'bronze' && d.from.kind === kind)
}

/** Whoever is not on this machine must show a token, and must not send it in the clear. */
function checkAccess(
  project: Project,
  { host, behindProxy, catalog, query, allowLocation }: Options,
): void {
  const { lake, storage } = project
  if (allowLocation && !catalog)
    throw new MoraineError('usage', '--allow-location requires --catalog', {
      hint: 'It says where tables of other engines may be stored: moraine serve --catalog --allow-location file:///data',
    })
  if (catalog) checkCatalogAccess({ lake, storage }, host, behindProxy)
  if (query) checkQueryAccess(project, host, behindProxy)
  if (isLoopback(host)) return
  const tokenOf = ({ from }: Bronze) => (from as IngestSource | InboxSource).token
  const all = [...bronzeOf(lake.datasets, 'ingest'), ...bronzeOf(lake.datasets, 'inbox')]
  const open = all.find((dataset) => tokenOf(dataset) === undefined)
  if (open)
    throw new MoraineError(
      'usage',
      `${fullName(open)} accepts ${open.from.kind === 'ingest' ? 'rows' : 'events'} from anyone who can reach ${host}`,
      {
        hint: `Add a token: from: ${open.from.kind}({ token: secret('env:EVENTS_TOKEN') })`,
      },
    )
  if (!behindProxy)
    throw new MoraineError('usage', `On ${host}, tokens and rows would be sent unencrypted`, {
      hint: 'Put a proxy that encrypts in front of it, and confirm with --behind-proxy',
    })
}

/** A token that is not set now would be missed by whoever sends first, however long after. */
async function checkTokens(datasets: readonly AnyDataset[]): Promise<void> {
  for (const { from } of [...bronzeOf(datasets, 'ingest'), ...bronzeOf(datasets, 'inbox')]) {
    const { token } = from as IngestSource | InboxSource
    if (typeof token === 'function') await token()
  }
}
