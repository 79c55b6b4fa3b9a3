import { appendFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isOpenToOthers } from '../define/access/encrypted.js'
import { messageOf } from '../errors.js'
import { type Variable, variable } from '../settings.js'
import type { RunEvent, StepResult } from '../step/events.js'
import { stableUuid } from '../storage/checksum.js'
import { backoff } from '../storage/retry.js'

const PRODUCER = 'https://www.npmjs.com/package/moraine'
const SCHEMA = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent'
const facet = (name: string, version: string) =>
  `https://openlineage.io/spec/facets/${version}/${name}.json`
/** Milliseconds that whoever is told may take. */
const PATIENCE = 5000
/** How often an event is sent, and milliseconds between the first two. */
const ATTEMPTS = 3
const AGAIN = 200

const OPEN =
  'OPENLINEAGE_API_KEY would be sent unencrypted; use an https:// address in OPENLINEAGE_URL, or no key'

/** Where events go, as OpenLineage's own clients are told: by the environment. */
export interface LineageTarget {
  url?: string
  key?: string
  file?: string
  namespace?: string
}

/**
 * Reads OPENLINEAGE_URL, OPENLINEAGE_ENDPOINT, OPENLINEAGE_API_KEY, OPENLINEAGE_NAMESPACE, and the
 * file of OPENLINEAGE__TRANSPORT__*.
 */
export function lineageTarget(env?: Readonly<Record<string, string>>): LineageTarget | undefined {
  const of = (name: Variable) => variable(name, env)
  if (of('OPENLINEAGE_DISABLED') === 'true') return undefined
  const file =
    of('OPENLINEAGE__TRANSPORT__TYPE') === 'file'
      ? of('OPENLINEAGE__TRANSPORT__LOG_FILE_PATH')
      : undefined
  const base = of('OPENLINEAGE_URL')
  const endpoint = of('OPENLINEAGE_ENDPOINT') ?? 'api/v1/lineage'
  const [key, namespace] = [of('OPENLINEAGE_API_KEY'), of('OPENLINEAGE_NAMESPACE')]
  if (!file && !base) return undefined
  return {
    ...(base ? { url: `${base.replace(/\/$/, '')}/${endpoint.replace(/^\//, '')}` } : {}),
    ...(key ? { key } : {}),
    ...(file ? { file } : {}),
    ...(namespace ? { namespace } : {}),
  }
}

/**
 * Tells of the steps of runs as OpenLineage events: each dataset that is built is a job, with its
 * inputs and its output.
 */
export class OpenLineage {
  private run = ''
  private inputs = new Map<string, readonly string[]>()
  private sending: Promise<void> = Promise.resolve()
  private problem: string | undefined

  constructor(
    private readonly target: LineageTarget,
    private readonly lake: { name: string; url: string },
    private readonly now: () => Date = () => new Date(),
  ) {}

  event(event: RunEvent): void {
    if (event.type === 'run-started') {
      this.run = event.run
      this.inputs = new Map(event.datasets.map(({ name, inputs }) => [name, inputs]))
    }
    if (event.type === 'step-started') this.send(this.made('START', event.dataset))
    if (event.type !== 'step-finished') return
    const { result } = event
    if (result.outcome === 'done') this.send(this.made('COMPLETE', result.dataset, result))
    if (['failed', 'held'].includes(result.outcome))
      this.send(this.made('FAIL', result.dataset, result))
    if (result.outcome === 'cancelled') this.send(this.made('ABORT', result.dataset, result))
  }

  /** Resolves when all has been sent; what went wrong with that, where something did. */
  async close(): Promise<string | undefined> {
    await this.sending
    return this.problem
  }

  private made(eventType: string, dataset: string, result?: StepResult): object {
    const namespace = this.target.namespace ?? this.lake.name
    const named = (name: string) => ({ namespace: this.lake.url, name })
    const error = result?.error
    return {
      eventType,
      eventTime: this.now().toISOString(),
      producer: PRODUCER,
      schemaURL: SCHEMA,
      run: {
        runId: stableUuid(`${this.run} ${dataset}`),
        facets: {
          parent: {
            _producer: PRODUCER,
            _schemaURL: facet('ParentRunFacet', '1-1-0'),
            run: { runId: stableUuid(this.run) },
            job: { namespace, name: this.lake.name },
          },
          ...(error
            ? {
                errorMessage: {
                  _producer: PRODUCER,
                  _schemaURL: facet('ErrorMessageRunFacet', '1-0-1'),
                  message: error.message,
                  programmingLanguage: 'TypeScript',
                },
              }
            : {}),
        },
      },
      job: { namespace, name: dataset },
      inputs: (this.inputs.get(dataset) ?? []).map(named),
      outputs: [{ ...named(dataset), ...(result ? { outputFacets: facetsOf(result) } : {}) }],
    }
  }

  private send(event: object): void {
    const text = JSON.stringify(event)
    this.sending = this.sending.then(() => this.sendOne(text))
  }

  private async sendOne(text: string): Promise<void> {
    const failed = (error: unknown) => {
      this.problem ??= `lineage could not be sent: ${messageOf(error)}`
    }
    const { file, url, key } = this.target
    if (file) await appendFile(file, `${text}\n`).catch(failed)
    // One that does not answer is not asked for each step again.
    if (!url || this.problem) return
    if (key && isOpenToOthers(url)) return failed(OPEN)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.post(url, text)
      } catch (error) {
        if (attempt >= ATTEMPTS) return failed(error)
        await sleep(backoff(attempt, AGAIN))
      }
    }
  }

  private async post(url: string, text: string): Promise<void> {
    const { key } = this.target
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key ? { authorization: `Bearer ${key}` } : {}),
      },
      body: text,
      signal: AbortSignal.timeout(PATIENCE),
    }).catch(() => {
      throw new Error('connection refused')
    })
    if (!answer.ok) throw new Error(`the response is ${answer.status}`)
  }
}

function facetsOf({ rows, bytes, files }: StepResult): object {
  if (rows === undefined) return {}
  return {
    outputStatistics: {
      _producer: PRODUCER,
      _schemaURL: facet('OutputStatisticsOutputDatasetFacet', '1-0-2'),
      rowCount: rows,
      ...(bytes === undefined ? {} : { size: bytes }),
      ...(files === undefined ? {} : { fileCount: files }),
    },
  }
}
