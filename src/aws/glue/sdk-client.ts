import { MoraineError, messageOf } from '../../errors.js'
import { importPeer } from '../../peers.js'
import type { Glue, GlueTable, PartitionInput, TableInput, Written } from './client.js'

/** Where Glue is; the SDK finds the region and the keys, where nothing is said. */
export interface GlueAddress {
  region?: string | undefined
  endpoint?: string | undefined
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

/** Partitions that one call may create, or change: API_BatchCreatePartition. */
const MOST_PARTITIONS = 100
/** Tries of a call that is throttled, or has no answer. */
const ATTEMPTS = 8

type Sdk = typeof import('@aws-sdk/client-glue')

/** Glue's catalog of an account, by the SDK. */
export async function glueClient(
  address: GlueAddress = {},
  signal?: AbortSignal,
): Promise<SdkGlue> {
  const sdk = await importPeer('@aws-sdk/client-glue')
  const given = Object.entries(address).filter(([, value]) => value !== undefined)
  const client = new sdk.GlueClient({ ...Object.fromEntries(given), maxAttempts: ATTEMPTS })
  return new SdkGlue(sdk, client, signal ? { abortSignal: signal } : {})
}

class SdkGlue implements Glue {
  constructor(
    private readonly sdk: Sdk,
    private readonly client: InstanceType<Sdk['GlueClient']>,
    private readonly options: { abortSignal?: AbortSignal },
  ) {}

  close(): void {
    this.client.destroy()
  }

  async createDatabase(Name: string, Description: string): Promise<void> {
    const command = new this.sdk.CreateDatabaseCommand({ DatabaseInput: { Name, Description } })
    await orElse('glue:CreateDatabase', () => this.client.send(command, this.options), {
      AlreadyExistsException: undefined,
    })
  }

  async tables(DatabaseName: string): Promise<GlueTable[] | undefined> {
    const found: GlueTable[] = []
    for (let token: string | undefined, first = true; first || token; first = false) {
      const command = new this.sdk.GetTablesCommand({ DatabaseName, ...after(token) })
      const page = await orElse('glue:GetTables', () => this.client.send(command, this.options), {
        EntityNotFoundException: undefined,
      })
      if (!page) return undefined
      found.push(...((page.TableList ?? []) as GlueTable[]))
      token = page.NextToken
    }
    return found
  }

  async table(DatabaseName: string, Name: string): Promise<GlueTable | undefined> {
    const command = new this.sdk.GetTableCommand({ DatabaseName, Name })
    const found = await orElse('glue:GetTable', () => this.client.send(command, this.options), {
      EntityNotFoundException: undefined,
    })
    return found?.Table as GlueTable | undefined
  }

  async createTable(DatabaseName: string, table: TableInput): Promise<Written> {
    const command = new this.sdk.CreateTableCommand({ DatabaseName, TableInput: table })
    const done = await orElse('glue:CreateTable', () => this.client.send(command, this.options), {
      AlreadyExistsException: 'changed',
    })
    return done === 'changed' ? done : 'written'
  }

  async updateTable(
    DatabaseName: string,
    table: TableInput,
    version: string | undefined,
  ): Promise<Written> {
    const command = new this.sdk.UpdateTableCommand({
      DatabaseName,
      TableInput: table,
      SkipArchive: true,
      ...(version === undefined ? {} : { VersionId: version }),
    })
    const done = await orElse('glue:UpdateTable', () => this.client.send(command, this.options), {
      ConcurrentModificationException: 'changed',
      EntityNotFoundException: 'gone',
    })
    return done === 'changed' || done === 'gone' ? done : 'written'
  }

  async deleteTable(DatabaseName: string, Name: string): Promise<void> {
    const command = new this.sdk.DeleteTableCommand({ DatabaseName, Name })
    await orElse('glue:DeleteTable', () => this.client.send(command, this.options), {
      EntityNotFoundException: undefined,
    })
  }

  async partitions(
    DatabaseName: string,
    TableName: string,
    withColumns = false,
  ): Promise<PartitionInput[]> {
    const found: PartitionInput[] = []
    for (let token: string | undefined, first = true; first || token; first = false) {
      const only = withColumns ? {} : { ExcludeColumnSchema: true }
      const asked = { DatabaseName, TableName, ...only, ...after(token) }
      const command = new this.sdk.GetPartitionsCommand(asked)
      const page = await answer('glue:GetPartitions', () => this.client.send(command, this.options))
      found.push(...((page.Partitions ?? []) as PartitionInput[]))
      token = page.NextToken
    }
    return found
  }

  async createPartitions(
    DatabaseName: string,
    TableName: string,
    parts: PartitionInput[],
  ): Promise<void> {
    for (let i = 0; i < parts.length; i += MOST_PARTITIONS) {
      const PartitionInputList = parts.slice(i, i + MOST_PARTITIONS)
      const asked = { DatabaseName, TableName, PartitionInputList }
      const command = new this.sdk.BatchCreatePartitionCommand(asked)
      const doing = 'glue:BatchCreatePartition'
      const { Errors = [] } = await answer(doing, () => this.client.send(command, this.options))
      const other = Errors.find((one) => one.ErrorDetail?.ErrorCode !== 'AlreadyExistsException')
      if (other) throw refused(other.ErrorDetail, doing)
    }
  }

  async updatePartitions(
    DatabaseName: string,
    TableName: string,
    parts: PartitionInput[],
  ): Promise<void> {
    for (let i = 0; i < parts.length; i += MOST_PARTITIONS) {
      const Entries = parts.slice(i, i + MOST_PARTITIONS).map((PartitionInput) => {
        return { PartitionValueList: PartitionInput.Values, PartitionInput }
      })
      const command = new this.sdk.BatchUpdatePartitionCommand({ DatabaseName, TableName, Entries })
      const doing = 'glue:BatchUpdatePartition'
      const { Errors = [] } = await answer(doing, () => this.client.send(command, this.options))
      const other = Errors.find((one) => one.ErrorDetail?.ErrorCode !== 'EntityNotFoundException')
      if (other) throw refused(other.ErrorDetail, doing)
    }
  }

  async deletePartition(
    DatabaseName: string,
    TableName: string,
    PartitionValues: string[],
  ): Promise<void> {
    const command = new this.sdk.DeletePartitionCommand({
      DatabaseName,
      TableName,
      PartitionValues,
    })
    await orElse('glue:DeletePartition', () => this.client.send(command, this.options), {
      EntityNotFoundException: undefined,
    })
  }
}

const after = (token: string | undefined) => (token === undefined ? {} : { NextToken: token })

/** Calls, and says what answers of some names stand for. */
async function orElse<T, const R extends Readonly<Record<string, Written | undefined>>>(
  action: string,
  send: () => Promise<T>,
  expected: R,
): Promise<T | R[keyof R]> {
  try {
    return await send()
  } catch (error) {
    const { name } = error as Error
    if (Object.hasOwn(expected, name)) return expected[name] as R[keyof R]
    throw refused(error, action)
  }
}

const answer = <T>(action: string, send: () => Promise<T>): Promise<T> =>
  send().catch((error) => {
    throw refused(error, action)
  })

/** What Glue says of a call that it refuses, without the request. */
function refused(error: unknown, action: string): MoraineError {
  const { name, ErrorCode, ErrorMessage } = error as Record<string, string | undefined>
  if (name === 'AbortError') return new MoraineError('cancelled', 'The projection was stopped')
  const code = ErrorCode ?? name ?? 'Error'
  const isDenied = /AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken/.test(code)
  const isAway = /Credentials|ECONN|ENOTFOUND|Timeout|Throttling/i.test(code)
  return new MoraineError(
    'storage',
    `Glue refuses ${action}: ${ErrorMessage ?? messageOf(error)}`,
    {
      cause: error,
      retryable: isAway,
      ...(isDenied
        ? {
            hint: `Allow ${action} on the catalog, the databases and their tables to who projects.`,
          }
        : {}),
    },
  )
}
