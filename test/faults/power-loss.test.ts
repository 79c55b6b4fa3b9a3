import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Table } from '../../src/iceberg/table.js'
import type { BatchPointer, TableState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { entryPath } from '../../src/log/reading/gaps.js'
import { Batches } from '../../src/step/batches.js'
import { LocalStorage } from '../../src/storage/local.js'
import type { Storage } from '../../src/storage/storage.js'
import { CALLS, Disk } from '../support/disk.js'
import { Project, repository } from '../support/project.js'
import { withService } from '../support/services.js'

/** Where it may watch: in some containers it may not. */
const STRACE = ['/usr/bin/strace', '/usr/local/bin/strace'].find(
  (path) => existsSync(path) && spawnSync(path, ['-o', '/dev/null', 'true']).status === 0,
)

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, inbox, ingest } from 'moraine/sources'
const raw = bronze('orders', { from: inbox(), archive: true })
const more = bronze('more', { from: files('in/*.csv') })
const others = silver('others', { from: more, schema: z.object({ id: t.int(), day: t.date() }), key: 'id', cursor: 'day', history: true })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), day: t.date(), amount: t.decimal(9, 2) }),
  key: 'id',
})
const days = gold('days', { query: sql\`select day, sum(amount) as amount from \${orders} group by day\`, incremental: { by: 'day' } })
const clicks = bronze('clicks', { from: ingest() })
export default defineLake({ name: 'power', datasets: [days, others, clicks] })
`

/** A lake whose commands are watched, system call by system call. */
class Watched {
  readonly found = new Set<string>()
  answers = 0
  arrivals = 0
  /** Objects that were put in the place of damaged ones. */
  readonly restored = new Set<string>()
  /** Files whose names a repair may replace: they were there before. */
  private damaged = new Set<string>()
  private traces = 0
  private readonly disk: Disk
  /** What each commit leads to. */
  private needed = new Map<string, readonly string[]>()
  private readonly links: string[] = []

  constructor(readonly project: Project) {
    this.disk = new Disk(project.folder, ({ what, path, to }) => this.look(what, path, to))
  }

  private get root() {
    return join(this.project.folder, 'lake')
  }

  start(args: readonly string[]): { child: ChildProcess; trace: string } {
    const trace = join(this.project.folder, `trace-${++this.traces}`)
    const command = [
      process.execPath,
      join(repository, 'bin/moraine.js'),
      '-C',
      this.project.folder,
    ]
    const strace = [
      '-f',
      '-y',
      '-qq',
      '--seccomp-bpf',
      '-s',
      '24',
      '-e',
      `trace=${CALLS}`,
      '-o',
      trace,
    ]
    const child = spawn(STRACE as string, [...strace, ...command, ...args], {
      env: { ...process.env, NO_COLOR: '1' },
    })
    return { child, trace }
  }

  async run(...args: readonly string[]): Promise<void> {
    const { child, trace } = this.start(args)
    let said = ''
    child.stdout?.on('data', (text) => {
      said += text
    })
    child.stderr?.on('data', (text) => {
      said += text
    })
    const [code] = await once(child, 'close')
    expect({ args, code, said: code === 0 ? '' : said }).toEqual({ args, code: 0, said: '' })
    await this.replay(trace)
  }

  /** Repairs files that are damaged first, and that must be whole on the disk under their names. */
  async repair(damage: ReadonlyMap<string, (bytes: Buffer) => Buffer>): Promise<void> {
    this.damaged = new Set([...damage.keys()].map((path) => join(this.root, path)))
    for (const [path, change] of damage) await alter(join(this.root, path), change)
    await this.run('repair', '--yes')
  }

  /** Serves the lake while others use it. */
  async serve(use: (url: string) => Promise<void>): Promise<void> {
    const { child, trace } = this.start(['--json', 'serve', '--port', '0'])
    let url: string | undefined
    for await (const line of createInterface(child.stdout as Readable)) {
      url = JSON.parse(line).url
      if (url) break
    }
    await use(url as string)
    child.stdout?.resume()
    // The program itself: what watches it would take the signal for itself.
    const [pid = ''] = readFileSync(trace, 'utf8').split(' ', 1)
    process.kill(Number(pid), 'SIGTERM')
    await once(child, 'close')
    await this.replay(trace)
  }

  /**
   * Goes through what a command did, and asks at each moment that counts what a power cut would
   * leave.
   */
  async replay(trace: string): Promise<void> {
    this.needed = await this.needs()
    for (const line of readFileSync(trace, 'utf8').split('\n')) this.disk.line(line)
    this.disk.end()
  }

  private look(what: string, path: string, to = ''): void {
    if (what === 'link' && path.includes('/_moraine/log/main/') && /\/\d+\.json$/.test(path)) {
      this.links.push(path)
      for (const file of this.needed.get(path) ?? [])
        this.note(file, `when ${path} was committed, which leads to it`)
    }
    if (what === 'rename') {
      // Parquet is renamed by the engine, and synced before anything leads to it.
      if (!path.split('/').at(-1)?.startsWith('tmp_'))
        this.noteDirty(path, 'before it got its name')
      if (this.damaged.has(to)) this.restored.add(to)
    }
    // What was put in the place of a damaged file is there by the end of the command.
    if (what === 'end') for (const file of this.restored) this.note(file, 'when the repair ended')
    const isArrival = path.includes('/bronze/landing/')
    if ((what === 'unlink' && isArrival) || what === 'end')
      for (const link of this.links)
        this.note(link, what === 'end' ? 'when the command ended' : `when ${path} was removed`)
    if (what === 'unlink' && isArrival) this.arrivals++
    if (what === 'answer') {
      this.answers++
      for (const file of this.disk.seen)
        if (file.includes('/bronze/landing/clicks/') && file.endsWith('.jsonl'))
          this.note(file, 'when it was answered')
    }
  }

  private note(file: string, when: string): void {
    const why = this.disk.whyNot(file)
    if (why)
      this.found.add(
        `${why.replaceAll(this.project.folder, '')} ${when.replaceAll(this.project.folder, '')}`,
      )
  }

  private noteDirty(file: string, when: string): void {
    const why = this.disk.whyNot(file)
    if (why?.includes('was not synced') && !why.startsWith('the folder'))
      this.found.add(`${why} ${when}`)
  }

  private async needs(): Promise<Map<string, readonly string[]>> {
    const storage = new LocalStorage(this.root)
    const log = new CommitLog(storage)
    const found = new Map<string, readonly string[]>()
    const head = await log.head()
    for (let number = Math.max(1, head.horizon ?? 1); number <= head.number; number++) {
      const state = await log.stateAt(number)
      const files = new Set<string>()
      for (const { metadata } of Object.values(state.tables)) {
        const table = await Table.load(storage, metadata)
        files.add(metadata)
        const list = table.snapshot?.['manifest-list']
        if (list) files.add(table.pathOf(list))
        for (const manifest of await table.manifests()) {
          files.add(table.pathOf(manifest.manifest_path))
          for (const { status, file } of await table.entries(manifest))
            if (status !== 'deleted') files.add(table.pathOf(file.path))
        }
      }
      for (const pointer of Object.values(state.batches).flat()) {
        files.add(pointer.manifest)
        const manifest = await new Batches(storage).manifest(pointer)
        for (const { data, original } of manifest.files) {
          if (data) files.add(data)
          if (original) files.add(original.path)
        }
      }
      const entry = join(this.root, entryPath('_moraine/log/main', number))
      found.set(
        entry,
        [...files].map((file) => join(this.root, file)),
      )
    }
    return found
  }
}

const flipped = (bytes: Buffer) => {
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 2
  return bytes
}

const scribbled = (bytes: Buffer) => bytes.fill(0x5a, 40, 60)

async function alter(file: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = change(await readFile(file))
  // Files of the archive can only be read.
  await chmod(file, 0o600)
  await writeFile(file, bytes)
}

async function dataOf(storage: Storage, state: TableState | undefined): Promise<string> {
  const table = await Table.load(storage, state as TableState)
  const [task] = await table.plan()
  return table.pathOf(task?.file.path ?? '')
}

withService('strace', [STRACE], () => {
  describe('a power cut', () => {
    it('loses nothing that a commit leads to, nothing that was answered, and no commit that a command told of', async () => {
      const project = await Project.create({
        'lake.ts': lake,
        'lake/bronze/landing/orders/a.csv':
          'id,day,amount\n1,2026-01-01,1.50\n2,2026-01-02,2\nx,2026-01-02,2\n',
        'in/1.csv': 'id,day,amount\n3,2026-01-03,3\n',
      })
      const watched = new Watched(project)
      await watched.run('run')
      const commits = await readdir(join(project.folder, 'lake/_moraine/log/main'))
      expect(commits.length).toBeGreaterThan(1)
      await project.write({
        'lake/bronze/landing/orders/b.csv': 'id,day,amount\n1,2026-01-04,9\n',
        'in/2.csv': 'id,day,amount\n4,2026-01-03,4\n',
      })
      await watched.run('run')
      await watched.run('replay', 'orders')
      await watched.run('optimize', '--order-by', 'id', 'silver.orders')
      await watched.run('rebuild', 'orders', '--from', 'archive')
      await watched.run('rollback', '--to', '4')
      await watched.run('run')
      await watched.run('vacuum', '--history', '0s', '--grace', '0s', '--delete')
      // One file of each way in which files are mended: by their bytes, from their inputs, from the
      // archive.
      const { storage } = project
      const state = await new CommitLog(storage).head()
      const days = state.tables['gold.days']?.metadata ?? ''
      const built = await dataOf(storage, state.tables['silver.orders'])
      const kept = state.batches['bronze.orders']?.[0] as BatchPointer
      const batch = (await new Batches(storage).manifest(kept)).files[0]?.data ?? ''
      const head = state.number
      await watched.repair(
        new Map([
          [days, flipped],
          [built, scribbled],
          [batch, scribbled],
        ]),
      )
      expect(watched.restored).toContain(join(project.folder, 'lake', days))
      expect((await new CommitLog(storage).head()).number).toBeGreaterThan(head)
      await watched.run('query', '--save-as', 'saved', 'select count(*) as n from silver.orders')
      await watched.serve(async (url) => {
        for (let n = 0; n < 5; n++) {
          const body = JSON.stringify({ n })
          const { status } = await fetch(`${url}/ingest/clicks`, { method: 'POST', body })
          expect(status).toBe(200)
        }
      })
      await watched.run('run')
      expect(watched.answers).toBeGreaterThanOrEqual(5)
      expect(watched.arrivals).toBeGreaterThan(0)
      expect([...watched.found]).toEqual([])
    })
  })
})
