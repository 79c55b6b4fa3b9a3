import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { Table, type TablePointer } from '../../../src/iceberg/table.js'
import { LogReader } from '../../../src/log/reader.js'
import { until } from '../../support/until.js'
import type { ServedLake } from './served.js'

type Who = Parameters<ServedLake['env']>[0]

/** A client of Athena that works in the database `scratch`. */
export class Asked {
  constructor(private readonly lake: ServedLake) {}

  /** What clients of AWS are made with. */
  options(who: Who = 'boss') {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = this.lake.env(who)
    return {
      endpoint: this.lake.url,
      region: 'us-east-1',
      maxAttempts: 1,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    }
  }

  private client(who: Who): AthenaClient {
    return new AthenaClient(this.options(who))
  }

  /** Runs a statement to its end; throws why it failed. */
  async ask(sql: string, who: Who = 'boss') {
    const athena = this.client(who)
    const input = { QueryString: sql, QueryExecutionContext: { Database: 'scratch' } }
    const { QueryExecutionId } = await athena.send(new StartQueryExecutionCommand(input))
    const get = async () =>
      (await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }))).QueryExecution
    await until(
      'the statement has ended',
      async () => !/QUEUED|RUNNING/.test((await get())?.Status?.State ?? ''),
    )
    const execution = await get()
    const { State, StateChangeReason } = execution?.Status ?? {}
    if (State !== 'SUCCEEDED') throw new Error(StateChangeReason)
    const rows: (string | null)[][] = []
    let changed: number | undefined
    let NextToken: string | undefined
    do {
      const page = await athena.send(new GetQueryResultsCommand({ QueryExecutionId, NextToken }))
      for (const { Data = [] } of page.ResultSet?.Rows ?? [])
        rows.push(Data.map((cell) => cell.VarCharValue ?? null))
      changed ??= page.UpdateCount
      NextToken = page.NextToken
    } while (NextToken !== undefined)
    return { rows, execution, changed }
  }

  /** Runs a statement; how many rows it has changed. */
  async done(sql: string): Promise<number | undefined> {
    return (await this.ask(sql)).changed
  }

  /** Rows without their header. */
  async rows(sql: string, who: Who = 'boss'): Promise<(string | null)[][]> {
    return (await this.ask(sql, who)).rows.slice(1)
  }

  /** Commits that the lake has: each statement that changes something is one. */
  async commits(): Promise<number> {
    return (await new LogReader(this.lake.storage, 'main').head()).number
  }

  /** Where the metadata of a table of `scratch` lie. */
  async pointer(name: string): Promise<TablePointer> {
    const { external } = await new LogReader(this.lake.storage, 'main').head()
    const found = Object.entries(external?.relations ?? {}).find(([key]) => key.endsWith(name))
    if (!found) throw new Error(`there is no table ${name}`)
    return found[1]
  }

  async table(name: string): Promise<Table> {
    return Table.load(this.lake.storage, await this.pointer(name))
  }
}
