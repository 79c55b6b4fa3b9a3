import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MoraineError, messageOf } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { redact } from '../../secrets.js'

/** Where queries run, and who pays for them. */
export interface AthenaPlace {
  /** Default: `primary`. */
  workgroup?: string | undefined
  /** Where results are put, `s3://bucket/prefix/`, if the workgroup does not say it. */
  output?: string | undefined
  region?: string | undefined
  endpoint?: string | undefined
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

/** A column as Athena describes it: API_ColumnInfo. */
export interface AthenaColumn {
  name: string
  type: string
  precision: number | undefined
  scale: number | undefined
}

export interface AthenaAnswer {
  id: string
  columns: AthenaColumn[]
  /** Values as Athena writes them; `undefined` is NULL. */
  rows: (string | undefined)[][]
  /** What is paid for. */
  scannedBytes: number
  milliseconds: number
}

/** The catalog of Glue, as Athena calls it. */
const CATALOG = 'AwsDataCatalog'
/** Rows of a page: API_GetQueryResults. */
const PAGE = 1000
/** Characters of a query: API_StartQueryExecution. */
const LONGEST = 262_144
const ATTEMPTS = 8
/** Milliseconds between questions how far a query is: longer with each. */
const [SOONEST, LATEST] = [100, 2000]

type Sdk = typeof import('@aws-sdk/client-athena')
type Client = InstanceType<Sdk['AthenaClient']>

export interface AthenaOptions {
  signal?: AbortSignal | undefined
  /** Waits between questions. */
  wait?: ((milliseconds: number) => Promise<unknown>) | undefined
}

/**
 * Runs a query on Athena to its end; who aborts the signal ends it there, too.
 *
 * @throws MoraineError of kind `query` for what Athena says is wrong with it, `limit` where it was
 *   cut off, `cancelled` where it was stopped, `usage` and `storage` for how it was asked.
 */
export async function runOnAthena(
  sql: string,
  { workgroup = 'primary', output, ...address }: AthenaPlace,
  { signal, wait = sleep }: AthenaOptions = {},
): Promise<AthenaAnswer> {
  if (sql.length > LONGEST)
    throw new MoraineError('query', `The query has ${sql.length} characters for Athena`, {
      hint: `Athena takes ${LONGEST}. Ask for less at a time, or make a view of a part.`,
    })
  const sdk = await importPeer('@aws-sdk/client-athena')
  const given = Object.entries(address).filter(([, value]) => value !== undefined)
  const client = new sdk.AthenaClient({ ...Object.fromEntries(given), maxAttempts: ATTEMPTS })
  try {
    signal?.throwIfAborted()
    const command = new sdk.StartQueryExecutionCommand({
      QueryString: sql,
      // An attempt that is sent again starts no second query.
      ClientRequestToken: randomUUID(),
      QueryExecutionContext: { Catalog: CATALOG },
      WorkGroup: workgroup,
      ...(output === undefined ? {} : { ResultConfiguration: { OutputLocation: output } }),
    })
    const { QueryExecutionId: id } = await asked(() => client.send(command))
    if (id === undefined) throw new MoraineError('engine', 'Athena gave no id for the query')
    const statistics = await ended({ sdk, client, id, signal, wait })
    return { id, ...statistics, ...(await resultsOf(sdk, client, id, signal)) }
  } finally {
    client.destroy()
  }
}

interface Running {
  sdk: Sdk
  client: Client
  id: string
  signal: AbortSignal | undefined
  wait: (milliseconds: number) => Promise<unknown>
}

async function ended({ sdk, client, id, signal, wait }: Running) {
  const command = new sdk.GetQueryExecutionCommand({ QueryExecutionId: id })
  const aborted = signal && new Promise<void>((done) => onAbort(signal, done))
  try {
    for (let pause = SOONEST; ; pause = Math.min(pause * 1.5, LATEST)) {
      const { QueryExecution: execution } = await asked(() => client.send(command))
      const { Status: status, Statistics: statistics } = execution ?? {}
      if (status?.State === 'SUCCEEDED')
        return {
          scannedBytes: statistics?.DataScannedInBytes ?? 0,
          milliseconds: statistics?.TotalExecutionTimeInMillis ?? 0,
        }
      if (status?.State === 'FAILED') throw failed(status.StateChangeReason, status.AthenaError)
      if (status?.State === 'CANCELLED') throw cutOff(status.StateChangeReason)
      await Promise.race([wait(pause), ...(aborted ? [aborted] : [])])
      signal?.throwIfAborted()
    }
  } catch (error) {
    if (!signal?.aborted) throw error
    await client.send(new sdk.StopQueryExecutionCommand({ QueryExecutionId: id })).catch(() => {})
    throw new MoraineError('cancelled', 'The query was stopped, on Athena as well')
  }
}

function onAbort(signal: AbortSignal, done: () => void): void {
  if (signal.aborted) done()
  else signal.addEventListener('abort', done, { once: true })
}

async function resultsOf(sdk: Sdk, client: Client, id: string, signal: AbortSignal | undefined) {
  let columns: AthenaColumn[] | undefined
  const rows: (string | undefined)[][] = []
  let token: string | undefined
  do {
    signal?.throwIfAborted()
    const command = new sdk.GetQueryResultsCommand({
      QueryExecutionId: id,
      MaxResults: PAGE,
      ...(token === undefined ? {} : { NextToken: token }),
    })
    const page = await asked(() => client.send(command))
    const first = columns === undefined
    columns ??= (page.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []).map((column) => ({
      name: column.Name ?? '',
      type: column.Type ?? '',
      precision: column.Precision,
      scale: column.Scale,
    }))
    const data = (page.ResultSet?.Rows ?? []).map(({ Data = [] }) =>
      Data.map(({ VarCharValue }) => VarCharValue),
    )
    // The first row of a SELECT is its header.
    rows.push(...(first ? data.slice(1) : data))
    token = page.NextToken
  } while (token !== undefined)
  return { columns: columns ?? [], rows }
}

/** Athena's own words, as far as they are no secret. */
const words = (text: string | undefined) => redact(text ?? 'it does not say why')

function failed(
  reason: string | undefined,
  error: { ErrorCategory?: number | undefined; Retryable?: boolean | undefined } | undefined,
) {
  // 1 is the system, 2 the user: API_AthenaError.
  const isUsers = error?.ErrorCategory !== 1
  return new MoraineError(isUsers ? 'query' : 'engine', `Athena: ${words(reason)}`, {
    retryable: error?.Retryable ?? false,
    ...(/TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|does not exist/.test(reason ?? '')
      ? { hint: 'Show the lake in the Glue Data Catalog first: moraine project' }
      : {}),
  })
}

/** Somebody, or a limit of the workgroup, has ended it. */
const cutOff = (reason: string | undefined) =>
  /limit/i.test(reason ?? '')
    ? new MoraineError('limit', `Athena cut the query off: ${words(reason)}`, {
        hint: 'The workgroup limits how many bytes a query may scan. Ask for less, or raise its limit.',
      })
    : new MoraineError('cancelled', `The query was stopped on Athena: ${words(reason)}`)

async function asked<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (error) {
    throw refused(error)
  }
}

function refused(error: unknown): MoraineError {
  const { name } = error as Error
  const message = redact(messageOf(error))
  if (/output location/i.test(message))
    return new MoraineError('usage', `Athena does not know where to put the result: ${message}`, {
      hint: 'Give the workgroup an output location, or this query: --output s3://bucket/prefix/',
    })
  if (name === 'InvalidRequestException')
    return new MoraineError('query', `Athena refuses the query: ${message}`)
  const isDenied = /AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken/.test(name)
  return new MoraineError('engine', `Athena refuses the call: ${message}`, {
    retryable: /TooManyRequests|Throttling|InternalServer|ECONN|ENOTFOUND|Timeout/.test(name),
    ...(isDenied
      ? {
          hint: 'Allow athena:StartQueryExecution, GetQueryExecution, GetQueryResults and StopQueryExecution on the workgroup.',
        }
      : {}),
  })
}
