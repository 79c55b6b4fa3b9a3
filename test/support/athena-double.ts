import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ServiceModel } from './service-model.js'

/** What a query is to give: an answer, or how it ends. */
export type Scripted =
  | {
      columns: { Name: string; Type: string; Precision?: number; Scale?: number }[]
      rows: (string | null)[][]
      /** How often it is asked before it is done. */
      busy?: number
    }
  | { fails: { StateChangeReason: string; AthenaError?: object } }
  | { cancelled: string }
  | { runs: 'for ever' }
  | { refuses: { __type: string; message: string } }

/**
 * A double of Athena's API: it runs no SQL. Each request and each answer is held to the model of
 * the service, so it proves the shapes of calls, their order, pages, cancelling and errors, and
 * nothing of what Athena makes of a query.
 */
export class AthenaDouble {
  /** Calls in their order, with what they were given. */
  readonly calls: { operation: string; input: Record<string, any> }[] = []
  /** What was wrong with requests, or with answers of this. */
  readonly problems: string[] = []
  private readonly running = new Map<
    string,
    { script: Scripted; asked: number; stopped: boolean }
  >()

  private constructor(
    private readonly server: Server,
    private readonly model: ServiceModel,
    private readonly script: (sql: string) => Scripted,
  ) {}

  static async start(
    model: ServiceModel,
    script: (sql: string) => Scripted,
  ): Promise<AthenaDouble> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part) => parts.push(part))
      request.on('end', () => {
        const operation = String(request.headers['x-amz-target']).replace(/^AmazonAthena\./, '')
        const { status, body } = double.answer(
          operation,
          JSON.parse(Buffer.concat(parts).toString()),
        )
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
        response.end(JSON.stringify(body))
      })
    })
    const double = new AthenaDouble(server, model, script)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return double
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.server.closeAllConnections()
    this.server.close()
  }

  private answer(operation: string, input: Record<string, any>) {
    this.calls.push({ operation, input })
    this.problems.push(...this.model.problems(operation, 'input', input))
    const body = this.bodyOf(operation, input)
    if ('__type' in body) return { status: 400, body }
    this.problems.push(...this.model.problems(operation, 'output', body))
    return { status: 200, body }
  }

  private bodyOf(operation: string, input: Record<string, any>): object {
    if (operation === 'StartQueryExecution') {
      const script = this.script(input.QueryString)
      if ('refuses' in script) return script.refuses
      const id = randomUUID()
      this.running.set(id, { script, asked: 0, stopped: false })
      return { QueryExecutionId: id }
    }
    const query = this.running.get(input.QueryExecutionId)
    if (!query) return { __type: 'InvalidRequestException', message: 'no such query' }
    if (operation === 'StopQueryExecution') {
      query.stopped = true
      return {}
    }
    if (operation === 'GetQueryExecution') return { QueryExecution: stateOf(query) }
    return pageOf(query.script, input)
  }
}

function stateOf(query: { script: Scripted; asked: number; stopped: boolean }) {
  const { script } = query
  const Statistics = { DataScannedInBytes: 12_345_678, TotalExecutionTimeInMillis: 1234 }
  query.asked++
  if (query.stopped) return { Status: { State: 'CANCELLED' } }
  if ('fails' in script) return { Status: { State: 'FAILED', ...script.fails } }
  if ('cancelled' in script)
    return { Status: { State: 'CANCELLED', StateChangeReason: script.cancelled } }
  if ('runs' in script || ('rows' in script && query.asked <= (script.busy ?? 0)))
    return { Status: { State: query.asked === 1 ? 'QUEUED' : 'RUNNING' } }
  return { Status: { State: 'SUCCEEDED' }, Statistics }
}

/** As Athena pages: the header is a row of the first page, and counts. */
function pageOf(script: Scripted, { NextToken, MaxResults }: Record<string, any>): object {
  if (!('rows' in script)) return { __type: 'InvalidRequestException', message: 'not finished' }
  const all = [script.columns.map(({ Name }) => Name as string | null), ...script.rows]
  const from = Number(NextToken ?? 0)
  const rows = all.slice(from, from + MaxResults)
  return {
    ResultSet: {
      Rows: rows.map((row) => ({
        Data: row.map((value) => (value === null ? {} : { VarCharValue: value })),
      })),
      ResultSetMetadata: { ColumnInfo: script.columns },
    },
    ...(from + MaxResults < all.length ? { NextToken: String(from + MaxResults) } : {}),
  }
}
