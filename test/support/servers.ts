import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './until.js'

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0

/** The folder of PostgreSQL's programs, where the machine has it. */
export const postgresPrograms: string | undefined =
  process.env.MORAINE_POSTGRES ??
  (existsSync('/usr/lib/postgresql')
    ? readdirSync('/usr/lib/postgresql')
        .map((version) => `/usr/lib/postgresql/${version}/bin`)
        .find((folder) => existsSync(join(folder, 'initdb')))
    : undefined)

/** The MariaDB server's program. */
export const mariadbProgram: string = process.env.MORAINE_MARIADB ?? '/usr/sbin/mariadbd'

/** MinIO's program. */
export const minioProgram: string =
  process.env.MORAINE_MINIO ?? join(homedir(), '.cache/moraine-ci/bin/minio')

/** A database server of its own, in a folder of its own. */
export interface Server {
  port: number
  /** The folder of its data. */
  data: string
  url: string
  /** Like a machine that loses power; `start` brings it back. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** Servers refuse to be run by root. */
function unprivileged(program: string, args: readonly string[]): [string, string[]] {
  return isRoot ? ['runuser', ['-u', 'nobody', '--', program, ...args]] : [program, [...args]]
}

/**
 * A port for a server that can't choose one itself. It lies below those that the system gives to
 * connections and to servers that ask for any, so that none of these takes it before it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((done) => {
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => done(true))
    })
    if (!isFree) continue
    await new Promise((done) => server.close(done))
    return port
  }
}

async function folderFor(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `moraine-${name}-`))
  await chmod(folder, 0o755)
  if (isRoot) await run('chown', ['nobody', folder])
  return folder
}

export async function startPostgres(): Promise<Server> {
  const programs = postgresPrograms as string
  const folder = await folderFor('postgres')
  const data = join(folder, 'data')
  const port = await freePort()
  await run(
    ...unprivileged(join(programs, 'initdb'), [
      ...['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    ]),
  )
  const settings = [
    "listen_addresses = '127.0.0.1'",
    `port = ${port}`,
    `unix_socket_directories = '${folder}'`,
    'fsync = off',
    'max_connections = 50',
    'max_prepared_transactions = 10',
    '',
  ]
  await writeFile(join(data, 'postgresql.auto.conf'), settings.join('\n'))
  return serverIn(programs, folder, port)
}

/** Starts what was made ready in a folder. */
async function serverIn(programs: string, folder: string, port: number): Promise<Server> {
  const data = join(folder, 'data')
  const control = (...args: string[]) =>
    run(...unprivileged(join(programs, 'pg_ctl'), ['-D', data, ...args]))
  const start = async () => {
    await control('-l', join(folder, 'log'), '-w', '-t', '600', 'start')
  }
  await start()
  return {
    port,
    data,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start,
    kill: async () => {
      await control('-m', 'immediate', '-w', 'stop').catch(() => {})
    },
    stop: async () => {
      await control('-m', 'immediate', '-w', 'stop').catch(() => {})
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A server that replicates another one, and can only be read. */
export async function startStandby(primary: Server): Promise<Server> {
  const programs = postgresPrograms as string
  const folder = await folderFor('standby')
  const data = join(folder, 'data')
  const port = await freePort()
  const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'postgres', '-D', data]
  const how = ['-R', '-X', 'stream', '-c', 'fast', '--no-sync']
  await run(...unprivileged(join(programs, 'pg_basebackup'), [...from, ...how]))
  await appendFile(join(data, 'postgresql.auto.conf'), `port = ${port}\n`)
  return serverIn(programs, folder, port)
}

/**
 * @param zone of the machine, as the server sees it.
 * @param more arguments of the server.
 */
export async function startMariadb(zone?: string, more: readonly string[] = []): Promise<Server> {
  const program = mariadbProgram
  const folder = await folderFor('mariadb')
  const data = join(folder, 'data')
  const port = await freePort()
  // A server that starts removes what others left in their folder for temporary files.
  const temporary = join(folder, 'tmp')
  for (const own of [data, temporary]) {
    await mkdir(own)
    if (isRoot) await run('chown', ['nobody', own])
  }
  const install = [
    ...['--no-defaults', `--datadir=${data}`, '--skip-test-db'],
    ...['--auth-root-authentication-method=normal', ...(isRoot ? ['--user=nobody'] : [])],
  ]
  await run('mariadb-install-db', install, { env: { ...process.env, TMPDIR: temporary } })
  let server: ChildProcess | undefined
  const socket = join(folder, 's.sock')
  const start = async () => {
    const args = [
      ...['--no-defaults', `--datadir=${data}`, `--socket=${socket}`, '--bind-address=127.0.0.1'],
      ...[`--port=${port}`, `--pid-file=${join(folder, 'pid')}`, '--innodb-buffer-pool-size=128M'],
      ...['--innodb-flush-log-at-trx-commit=2', '--max-connections=60', ...more],
    ]
    const env = { ...process.env, TMPDIR: temporary, ...(zone ? { TZ: zone } : {}) }
    server = spawn(...unprivileged(program, args), { stdio: 'ignore', env })
    const asked = ['--no-defaults', `--socket=${socket}`, '-uroot', '-e', 'SELECT 1']
    const isUp = () =>
      run('mariadb', asked).then(
        () => true,
        () => false,
      )
    await until('MariaDB answers', isUp, server)
  }
  const kill = async () => {
    const gone = new Promise((done) => server?.once('exit', done))
    await run('pkill', ['-9', '-f', '--', `--datadir=${data}`]).catch(() => {})
    await gone
  }
  await start()
  await run('mariadb', [
    ...['--no-defaults', `--socket=${socket}`, '-uroot', '-e'],
    "CREATE DATABASE shop; CREATE USER shop@'127.0.0.1' IDENTIFIED BY 's3cret'; GRANT ALL ON *.* TO shop@'127.0.0.1' WITH GRANT OPTION",
  ])
  return {
    port,
    data,
    url: `mysql://shop:s3cret@127.0.0.1:${port}/shop`,
    start,
    kill,
    stop: async () => {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Keys of the server that {@link startMinio} starts. */
export const minioKeys = {
  AWS_ACCESS_KEY_ID: 'moraine',
  AWS_SECRET_ACCESS_KEY: 's3cret-of-the-lake',
}

/**
 * An S3 server of its own, with a key for encryption; `url` is its endpoint.
 *
 * @param host the address of this machine that it listens at.
 */
export async function startMinio(
  settings: NodeJS.ProcessEnv = {},
  host = '127.0.0.1',
): Promise<Server> {
  const data = await mkdtemp(join(tmpdir(), 'moraine-minio-'))
  const port = await freePort()
  const url = `http://${host}:${port}`
  let server: ChildProcess | undefined
  const start = async () => {
    const env = {
      ...process.env,
      MINIO_ROOT_USER: minioKeys.AWS_ACCESS_KEY_ID,
      MINIO_ROOT_PASSWORD: minioKeys.AWS_SECRET_ACCESS_KEY,
      ...settings,
      MINIO_KMS_SECRET_KEY: `lake:${Buffer.alloc(32, 7).toString('base64')}`,
    }
    const args = ['server', '--quiet', '--address', `${host}:${port}`, data]
    server = spawn(minioProgram, args, { stdio: 'ignore', env })
    const isUp = () =>
      fetch(`${url}/minio/health/live`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until('MinIO answers', isUp, server)
  }
  const kill = async () => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const gone = new Promise((done) => server?.once('exit', done))
    server.kill('SIGKILL')
    await gone
  }
  await start()
  const stop = async () => {
    await kill()
    await rm(data, { recursive: true, force: true })
  }
  return { port, data, url, start, kill, stop }
}

/** Moto's program, which plays many services of AWS. */
export const motoProgram: string =
  process.env.MORAINE_MOTO ?? join(homedir(), '.cache/moraine-ci/venv/bin/moto_server')

/** Services of AWS, without its rules of who may do what; any keys are good. */
export async function startMoto(): Promise<{ url: string; stop(): void }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const server = spawn(motoProgram, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  const isUp = () =>
    fetch(`${url}/moto-api/`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until('Moto answers', isUp, server)
  return { url, stop: () => void server.kill('SIGKILL') }
}
