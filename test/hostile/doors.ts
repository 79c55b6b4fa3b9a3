import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import queries from './queries.json' with { type: 'json' }

/** A query that somebody hostile might ask. */
export interface Hostile {
  kind: string
  text: string
  /** Whether it has to be refused; other ones may run, as they do no harm. */
  refused: boolean
}

const CANARY = 'canary-7f3a51c0'

/**
 * A place with secrets beside a lake, which shows whether anything of them was read, or anything
 * was written there.
 */
export class Surroundings {
  private calls = 0
  private before: string[] = []

  private constructor(
    readonly folder: string,
    private readonly server: Server,
  ) {}

  static async create(files: Record<string, string>): Promise<Surroundings> {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-hostile-'))
    const server = createServer((_, response) => response.end(`password\n${CANARY}\n`))
    const made = new Surroundings(folder, server)
    server.on('connection', () => made.calls++)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    await mkdir(join(folder, 'lake'))
    const secret = `password\n${CANARY}\n`
    for (const [name, text] of Object.entries({ ...files, 'secret.csv': secret }))
      await writeFile(join(folder, name), text)
    process.env.MORAINE_CANARY = CANARY
    made.before = await made.outside()
    return made
  }

  /** The queries, with names of what lies in these surroundings. */
  queries(...kinds: string[]): Hostile[] {
    const { port } = this.server.address() as AddressInfo
    const names: Record<string, string> = {
      secret: join(this.folder, 'secret.csv'),
      out: join(this.folder, 'out.csv'),
      lake: join(this.folder, 'lake'),
      folder: this.folder,
      base: basename(this.folder),
      url: `http://127.0.0.1:${port}`,
    }
    return Object.entries(queries).flatMap(([kind, { expect, queries: texts }]) =>
      kinds.length > 0 && !kinds.includes(kind)
        ? []
        : texts.map((text) => ({
            kind,
            refused: expect === 'refused',
            text: text
              .replace(/\{repeat:(.*?):(\d+)\}/gs, (_, part, n) => part.repeat(Number(n)))
              .replace(/\{(\w+)\}/g, (whole, name) => names[name] ?? whole),
          })),
    )
  }

  /** The harm that was done: empty where there is none. */
  async harm(...shown: unknown[]): Promise<string[]> {
    const text = JSON.stringify(shown, (_, value) =>
      typeof value === 'bigint' ? String(value) : value instanceof Error ? told(value) : value,
    )
    const written = (await this.outside()).filter((name) => !this.before.includes(name))
    return [
      ...(text.includes(CANARY) ? ['the secret is shown'] : []),
      ...(this.calls > 0 ? [`${this.calls} connections were made`] : []),
      ...written.map((name) => `${name} was written`),
      ...(await this.secretsInLake()),
    ]
  }

  async close(): Promise<void> {
    delete process.env.MORAINE_CANARY
    await new Promise((done) => this.server.close(done))
    await rm(this.folder, { recursive: true, force: true })
  }

  private async outside(): Promise<string[]> {
    const names = await readdir(this.folder, { recursive: true })
    return names.filter((name) => !name.startsWith('lake/') && !name.startsWith('node_modules'))
  }

  /** Files of the lake with the secret in them, or in the names of their columns. */
  private async secretsInLake(): Promise<string[]> {
    const lake = join(this.folder, 'lake')
    const names = await readdir(lake, { recursive: true, withFileTypes: true })
    const found: string[] = []
    for (const file of names.filter((entry) => entry.isFile())) {
      const bytes = await readFile(join(file.parentPath, file.name))
      if (bytes.includes(CANARY)) found.push(`${file.name} holds the secret`)
    }
    return found
  }
}

function told(error: Error): unknown {
  const { message, cause, hint, problems } = error as Error & { hint?: string; problems?: unknown }
  return { message, cause, hint, problems }
}

/** Does something with each, several at a time. */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>, many = 4) {
  const next = items.values()
  const worker = async () => {
    for (const item of next) await work(item)
  }
  await Promise.all(Array.from({ length: many }, worker))
}

/** What is shown of a query where it does not do what it should. */
export function shortened({ kind, text }: Hostile): string {
  return `${kind}: ${text.length > 160 ? `${text.slice(0, 160)}…` : text}`
}
