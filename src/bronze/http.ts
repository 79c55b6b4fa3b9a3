import { createHash } from 'node:crypto'
import { LosslessNumber } from 'lossless-json'
import { fullName } from '../define/dataset.js'
import type { HttpSource } from '../define/source.js'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { shownUrl } from '../secrets.js'
import type { IngestedFile } from '../source/files/ingested.js'
import { ingestRecords } from '../source/formats/ingest-json.js'
import { type JsonRecord, MARK } from '../source/formats/json-records.js'
import { HttpClient, unsetVariables } from '../source/http/client.js'
import { pagesOf } from '../source/http/pages.js'
import { type BatchFile, sealFiles } from '../step/batches.js'
import { hash, type RunContext, withSession } from '../step/context.js'
import { requestedTypes } from '../step/requested-types.js'
import { commitRows, type NewBatch, newBatch, noteWatermark, nothingYet } from './batch-commit.js'
import { CursorReach, type ReachedCursor } from './http-cursor.js'
import type { Ingestion, Lookup } from './ingestion.js'
import type { Intake, Offer } from './offer.js'
import { heldOf, heldText, holdBack, rowsOfFull } from './shrink.js'

/** How far an API was read; visible in the same commit as its rows. */
interface Watermark extends ReachedCursor {
  /** What decides which rows are asked for, as a hash: with another one the reading begins anew. */
  reads: string
  /** All rows, of a source without a cursor. */
  content?: string
}

/** Looks whether an API may have rows that the lake has not; it is not asked. */
export async function discoverAnswers({
  dataset,
  source,
  state,
}: Lookup<HttpSource>): Promise<Offer> {
  const url = checkedUrl(source)
  const known = state.watermarks[fullName(dataset)] as Watermark | undefined
  const before = known?.reads === readsOf(source) ? known : undefined
  const { cursor } = source
  const news =
    cursor && before?.from !== undefined
      ? `rows with ${cursor.column} from ${before.from} on are requested`
      : cursor
        ? 'all of its rows will be read'
        : 'all of its rows are read in each run'
  const held = heldOf(state, fullName(dataset))
  return {
    discovery: {
      news: held ? `${news}; the last were ${heldText(held)}` : news,
      none: '',
      notes: unsetVariables(source).map(
        (name) => `the environment variable ${name} is not set, and its requests need it`,
      ),
    },
    ingest: (context, base) => new Answers({ context, dataset, source }, url, before).ingest(base),
  }
}

function checkedUrl({ url }: HttpSource): URL {
  if (URL.canParse(url)) return new URL(url)
  throw new MoraineError(
    'source',
    url === '' ? 'The URL of the API is missing' : `'${shownUrl(url)}' is not a valid URL`,
    {
      hint:
        url === ''
          ? 'Set its url; the environment variable for it may be missing.'
          : 'Use the form https://host/path. Put credentials into auth.',
    },
  )
}

function readsOf({ url, params, rows, cursor, body, graphql }: HttpSource): string {
  const values = Object.entries(params).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : null,
  ])
  // Secrets do not decide which rows there are.
  const sent = body ?? graphql
  const more = sent === undefined ? [] : [sent]
  const known = [url, values, rows ?? null, cursor ?? null, ...more]
  return hash(JSON.stringify(known, (_, value) => (typeof value === 'function' ? null : value)))
}

/** The answers of one run, and where they leave off. */
class Answers {
  private readonly reach: CursorReach | undefined
  private readonly warnings: string[] = []
  private readonly content = createHash('sha256')
  private bytes = 0

  private readonly context: RunContext
  private readonly dataset: Ingestion['dataset']
  private readonly source: HttpSource

  constructor(
    { context, dataset, source }: Ingestion<HttpSource>,
    private readonly url: URL,
    private readonly before: Watermark | undefined,
  ) {
    this.context = context
    this.dataset = dataset
    this.source = source
    this.reach = source.cursor && new CursorReach(source.cursor.column, before)
  }

  async ingest(base: LakeState): Promise<Intake> {
    const { context, dataset, source } = this
    const name = fullName(dataset)
    const done = nothingYet(base)
    const batch = newBatch(context, base, dataset)
    const data = `${batch.folder}/00001.parquet`
    await context.storage.prepare(data)
    const requested = requestedTypes(context.lake.datasets, dataset)
    const place = `${this.url.host}${this.url.pathname}`
    const read = await withSession(context, name, (session) =>
      ingestRecords({ path: place, name: place, size: 0, modified: 0 }, source, this.rows(), {
        session,
        location: context.storage.locate(data),
        batch: batch.batch,
        requested,
        large: true,
        ofOthers: this.before !== undefined,
        signal: context.signal,
      }),
    )
    return this.keep(done, batch, data, read)
  }

  /** Makes what was read a batch, unless it is what was there before, or is held back. */
  private async keep(
    before: Intake,
    batch: NewBatch,
    data: string,
    { columns, ...kept }: IngestedFile,
  ): Promise<Intake> {
    const { context, dataset, source, reach } = this
    const warnings = [...this.warnings, ...(reach?.warnings ?? [])]
    const done = { ...before, warnings, notes: reach?.notes ?? [] }
    const content = this.content.digest('hex')
    const watermark = this.watermark(content)
    const last = done.state.batches[fullName(dataset)]?.at(-1)
    const aside = this.isSame(kept.rows, content)
      ? await this.noteSame(done, watermark)
      : // An answer without rows does not tell which columns there are.
        kept.rows === 0 && !last && !source.columns
        ? await noteWatermark(context, done, dataset, watermark)
        : await this.holdBack(done, kept.rows)
    if (aside || kept.rows === 0) await context.storage.remove(data)
    if (aside) return aside
    const place = `${this.url.host}${this.url.pathname}`
    const modified = context.started.getTime()
    const file: BatchFile = {
      name: place,
      size: this.bytes,
      modified,
      sha256: content,
      data,
      ...kept,
    }
    const known =
      last && columns.length === 0 ? await context.relations.batches.manifest(last) : undefined
    const files = kept.rows > 0 ? await sealFiles(context.storage, [file]) : []
    return commitRows(context, done, {
      dataset,
      batch,
      files,
      columns: known?.columns ?? columns,
      source: { url: `${this.url.origin}${this.url.pathname}`, from: this.before?.from },
      watermark,
      more: source.cursor ? {} : { fullExtract: true },
    })
  }

  private isSame(rows: number, content: string): boolean {
    if (!this.before) return false
    return this.source.cursor ? rows === 0 : content === this.before.content
  }

  private async noteSame(done: Intake, watermark: Watermark): Promise<Intake> {
    const { context, dataset, before } = this
    const unchanged = { ...done, notes: ['its rows are unchanged'] }
    if (watermark.from === before?.from && !heldOf(done.state, fullName(dataset))) return unchanged
    return {
      ...(await noteWatermark(context, unchanged, dataset, watermark)),
      notes: unchanged.notes,
    }
  }

  private async holdBack(done: Intake, rows: number): Promise<Intake | undefined> {
    const { context, dataset, source } = this
    const before = rowsOfFull(done.state, fullName(dataset))
    if (source.cursor || before === undefined) return undefined
    return holdBack(context, done, dataset, { rows, before, maxShrink: source.maxShrink })
  }

  /** The rows of all pages, without those that were taken before and have come again. */
  private async *rows(): AsyncGenerator<JsonRecord[]> {
    const { context, source, url, before } = this
    const client = new HttpClient(source, url, context.signal)
    let count = 0
    const from = before?.from ?? source.cursor?.start
    const since = before?.number ? new LosslessNumber(before.from as string) : from
    const warn = (message: string) => this.warnings.push(message)
    const pages = pagesOf(source, client, since, { warn, wasRead: before !== undefined })
    for await (const page of pages) {
      const rows: JsonRecord[] = []
      for (const row of page.rows) {
        // Without marks, as rows are known by what earlier versions made of them.
        const text = row.json ?? row.raw ?? ''
        const json = row.marked ? text.replaceAll(MARK, '') : text
        this.bytes += json.length
        this.content.update(json).update('\n')
        if (this.reach?.isNew(json) ?? true) rows.push({ ...row, line: ++count })
        if (count === source.most) break
      }
      yield rows
      context.progress(fullName(this.dataset), { rows: count })
      if (count === source.most) return
    }
  }

  private watermark(content: string): Watermark {
    const reads = readsOf(this.source)
    return { reads, ...(this.reach?.reached ?? { content }) }
  }
}
