import type { DuckDBConnection } from '@duckdb/node-api'
import { quoteText } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'
import type { DuckDBInstance } from './driver.js'
import { kibibytes } from './sizes.js'

/** A connection to an instance of the engine, and which instance that is. */
export interface Life {
  connection: DuckDBConnection
  instance: DuckDBInstance
  /** How many instances were lost before it. */
  number: number
}

/**
 * After an error of its own an instance answers nothing any more: another takes its place, once for
 * all sessions. What the lost one held, temporary tables and views, is gone.
 */
export class Lives {
  private number = 0
  private renewal: Promise<void> | undefined
  /** The settings that were changed since it began. */
  private changed: readonly string[] = []
  /** What alone can be opened, once that is settled. */
  private confinement: readonly string[] | undefined
  /**
   * Whether it can open just some files: no other takes its place then, as that could open more.
   */
  private isLast = false

  /** @param forget forgets what was made in the instance. */
  constructor(
    private instance: DuckDBInstance,
    private readonly begin: () => Promise<DuckDBInstance>,
    private readonly forget: () => void,
    /** Whether sessions are asked how far they are. */
    private readonly watched: boolean,
  ) {}

  async connect(): Promise<Life> {
    const { instance, number } = this
    const connection = await instance.connect()
    if (this.watched) {
      await connection.run('SET enable_progress_bar = true')
      await connection.run('SET enable_progress_bar_print = false')
    }
    return { connection, instance, number }
  }

  /**
   * From now on this instance, and any that takes its place, can open nothing but what lies below
   * these folders.
   */
  async confine(folders: readonly string[]): Promise<void> {
    this.confinement = folders
    await confine(this.instance, folders)
  }

  /** From now on it can open nothing but these files, and nobody can change its settings. */
  async confineToFiles(files: readonly string[]): Promise<void> {
    this.isLast = true
    await this.set([
      ...(files.length > 0 ? [`allowed_paths = [${files.map(quoteText).join(', ')}]`] : []),
      'enable_external_access = false',
      'lock_configuration = true',
    ])
  }

  async limitMemory(bytes: number): Promise<void> {
    this.changed = [`memory_limit = ${quoteText(kibibytes(bytes))}`]
    await this.set(this.changed)
  }

  async extensionsFrom(folder: string): Promise<void> {
    await this.set([`extension_directory = ${quoteText(folder)}`])
  }

  private async set(settings: readonly string[], instance = this.instance): Promise<void> {
    const connection = await instance.connect()
    try {
      for (const setting of settings) await connection.run(`SET ${setting}`)
    } finally {
      connection.closeSync()
    }
  }

  /** A connection for who had one to an instance that is lost. */
  async after(lost: DuckDBInstance): Promise<Life> {
    if (this.isLast) throw new MoraineError('engine', 'The engine was lost')
    if (lost === this.instance) {
      this.renewal ??= this.renew()
      await this.renewal
    }
    return this.connect()
  }

  private async renew(): Promise<void> {
    try {
      const instance = await this.begin()
      await this.set(this.changed, instance)
      if (this.confinement) await confine(instance, this.confinement)
      this.instance = instance
      this.number++
      this.forget()
    } finally {
      this.renewal = undefined
    }
  }

  close(): void {
    this.instance.closeSync()
  }
}

async function confine(instance: DuckDBInstance, folders: readonly string[]): Promise<void> {
  const connection = await instance.connect()
  try {
    // One that takes the place of another has loaded nothing yet, and could not from here on.
    if (folders.some((folder) => folder.startsWith('s3://')))
      await connection.run('LOAD httpfs').catch(() => {})
    await connection.run(`SET allowed_directories = [${folders.map(quoteText).join(', ')}]`)
    await connection.run('SET enable_external_access = false')
  } finally {
    connection.closeSync()
  }
}
