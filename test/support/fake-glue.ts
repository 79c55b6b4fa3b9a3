import type {
  Glue,
  GlueTable,
  PartitionInput,
  TableInput,
  Written,
} from '../../src/aws/glue/client.js'

/**
 * Glue's catalog in memory, for properties that need thousands of rounds: what MiniStack does with
 * the same calls, held beside it in `test/aws/glue.test.ts`.
 */
export class MemoryGlue implements Glue {
  readonly databases = new Map<string, Map<string, GlueTable & { parts: PartitionInput[] }>>()
  calls = 0

  /** @param before is called before each call; one that throws ends what calls. */
  constructor(private readonly before: (name: string) => void | Promise<void> = () => {}) {}

  private async called(name: string): Promise<void> {
    this.calls++
    await this.before(name)
  }

  async createDatabase(name: string): Promise<void> {
    await this.called('createDatabase')
    if (!this.databases.has(name)) this.databases.set(name, new Map())
  }

  async tables(database: string): Promise<GlueTable[] | undefined> {
    await this.called('tables')
    const found = this.databases.get(database)
    return found && [...found.values()].map((table) => structuredClone(table))
  }

  async table(database: string, name: string): Promise<GlueTable | undefined> {
    await this.called('table')
    return structuredClone(this.databases.get(database)?.get(name))
  }

  async createTable(database: string, table: TableInput): Promise<Written> {
    await this.called('createTable')
    const tables = this.databases.get(database)
    if (!tables) throw new Error(`no database ${database}`)
    if (tables.has(table.Name)) return 'changed'
    tables.set(table.Name, { ...structuredClone(table), VersionId: '1', parts: [] })
    return 'written'
  }

  async updateTable(
    database: string,
    table: TableInput,
    version: string | undefined,
  ): Promise<Written> {
    await this.called('updateTable')
    const before = this.databases.get(database)?.get(table.Name)
    if (!before) return 'gone'
    if (version !== undefined && version !== before.VersionId) return 'changed'
    this.put(database, table)
    return 'written'
  }

  /** Like somebody who asks for no version. */
  put(database: string, table: TableInput): void {
    const tables = this.databases.get(database)
    const before = tables?.get(table.Name)
    const VersionId = String(Number(before?.VersionId ?? 0) + 1)
    tables?.set(table.Name, { ...structuredClone(table), VersionId, parts: before?.parts ?? [] })
  }

  async deleteTable(database: string, name: string): Promise<void> {
    await this.called('deleteTable')
    this.databases.get(database)?.delete(name)
  }

  async partitions(database: string, table: string): Promise<PartitionInput[]> {
    await this.called('partitions')
    return structuredClone(this.databases.get(database)?.get(table)?.parts ?? [])
  }

  async createPartitions(database: string, table: string, parts: PartitionInput[]): Promise<void> {
    await this.called('createPartitions')
    const found = this.databases.get(database)?.get(table)?.parts
    for (const part of parts)
      if (!found?.some(({ Values }) => String(Values) === String(part.Values)))
        found?.push(structuredClone(part))
  }

  async updatePartitions(database: string, table: string, parts: PartitionInput[]): Promise<void> {
    await this.called('updatePartitions')
    const found = this.databases.get(database)?.get(table)
    const isOf = (one: PartitionInput) => (part: PartitionInput) =>
      String(part.Values) === String(one.Values)
    if (found) found.parts = found.parts.map((one) => structuredClone(parts.find(isOf(one)) ?? one))
  }

  async deletePartition(database: string, table: string, values: string[]): Promise<void> {
    await this.called('deletePartition')
    const found = this.databases.get(database)?.get(table)
    if (found) found.parts = found.parts.filter(({ Values }) => String(Values) !== String(values))
  }
}
