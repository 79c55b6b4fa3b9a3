import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning } from './processes.js'
import { freePort } from './servers.js'

/** MiniStack's program, which plays AWS and runs Lambdas as processes of this machine. */
export const ministackProgram: string =
  process.env.MORAINE_MINISTACK ?? join(homedir(), '.cache/moraine-ci/venv/bin/ministack')

/** Keys of the account's root, in a cloud that {@link startMinistack} starts. */
export const ministackKeys = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }

export interface Ministack {
  /** Of its process, whose children run Lambdas. */
  pid: number
  url: string
  region: 'us-east-1'
  /** Its account, in which everything lies that the root makes. */
  account: '000000000000'
  /** What clients of ours are given, and the environment of commands that shall reach it. */
  client: {
    endpoint: string
    region: string
    credentials: { accessKeyId: string; secretAccessKey: string }
  }
  env: Record<string, string>
  /** What it has written so far: its own lines and those of the Lambdas. */
  log(): string
  stop(): Promise<void>
}

/**
 * A cloud of its own, on a free port and in a folder of its own, which is gone when it stops.
 *
 * @param settings `auth`: requests are verified, and roles and policies of buckets enforced; any
 *   keys are the root's without it. `env`: more of MiniStack's own settings.
 */
export async function startMinistack(
  settings: { auth?: boolean; env?: Record<string, string> } = {},
): Promise<Ministack> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-ministack-'))
  for (const name of ['home', 'tmp', 'state', 's3']) await mkdir(join(folder, name))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const region = 'us-east-1'
  const logFile = join(folder, 'log')
  const output = openSync(logFile, 'a')
  // A group of its own, so that Lambdas end with it.
  const server = spawn(ministackProgram, [], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', output, output],
    env: {
      PATH: process.env.PATH,
      HOME: join(folder, 'home'),
      TMPDIR: join(folder, 'tmp'),
      STATE_DIR: join(folder, 'state'),
      S3_DATA_DIR: join(folder, 's3'),
      BIND_HOST: '127.0.0.1',
      MINISTACK_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: region,
      CLOUDTRAIL_RECORDING: '1',
      IOT_MTLS_ENABLED: '0',
      ...(settings.auth ? { AUTH: 'true' } : {}),
      ...settings.env,
    },
  })
  closeSync(output)
  const pid = server.pid
  if (pid === undefined) throw new Error(`${ministackProgram} does not start`)
  const stop = async () => {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has ended already.
    }
    while (isRunning(pid)) await sleep(20)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  const log = () => readFileSync(logFile, 'utf8')
  const isUp = () =>
    fetch(`${url}/_ministack/health`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isUp())) {
    if (server.exitCode !== null) throw new Error(`MiniStack did not start:\n${log()}`)
    await sleep(50)
  }
  const credentials = {
    accessKeyId: ministackKeys.AWS_ACCESS_KEY_ID,
    secretAccessKey: ministackKeys.AWS_SECRET_ACCESS_KEY,
  }
  return {
    pid,
    url,
    region,
    account: '000000000000',
    client: { endpoint: url, region, credentials },
    env: { ...ministackKeys, AWS_ENDPOINT_URL: url, AWS_REGION: region },
    log,
    stop,
  }
}
