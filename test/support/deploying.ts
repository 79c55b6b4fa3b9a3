import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { faultyProxy } from './faulty-proxy.js'
import { ownArch } from './function.js'
import { type Ministack, ministackKeys } from './ministack.js'
import { type Outcome, Project, repository } from './project.js'

/** A lake of three datasets that wait for files; each test has one of a name of its own. */
export function smallLake(name: string, options = "region: 'us-east-1'"): string {
  return `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { aws } from 'moraine/aws'
import { inbox } from 'moraine/sources'

const raw = bronze('orders', { from: inbox({ format: 'jsonl', columns: ['id', 'amount'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.decimal(12, 2) }),
  key: 'id',
})
const total = gold('total', { query: sql\`select count(*) as orders from \${orders}\` })

export default defineLake({ name: '${name}', datasets: [total], deploy: aws({ ${options}, architecture: '${ownArch}' }) })
`
}

export const lakeProject = (name: string, options?: string) =>
  Project.create({ 'lake.ts': smallLake(name, options) })

/** Starts `moraine deploy` as a process of its own that reaches a cloud at an address. */
export function startDeploy(
  folder: string,
  cloud: { url: string },
  args: readonly string[] = ['--yes'],
  env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; ended: Promise<Outcome & { signal: NodeJS.Signals | null }> } {
  const child = spawn(
    process.execPath,
    [join(repository, 'bin/moraine.js'), '-C', folder, 'deploy', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NO_COLOR: '1',
        ...ministackKeys,
        AWS_ENDPOINT_URL: cloud.url,
        AWS_REGION: 'us-east-1',
        ...env,
      },
    },
  )
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    out.stdout += text
  })
  child.stderr.on('data', (text) => {
    out.stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...out }))
  return { child, ended }
}

export const deploy = (
  { folder }: { folder: string },
  cloud: { url: string },
  args?: readonly string[],
  env?: NodeJS.ProcessEnv,
) => startDeploy(folder, cloud, args, env).ended

/** What `deploy` asks of a cloud, request by request: the action of CloudFormation, or the path. */
export interface Request {
  action: string
  body: string
}

/**
 * Deploys through a proxy that sees all requests, and ends the process at one of them.
 *
 * @param at the number of the request, from 1 on; `before` it is passed on, or `after` it was
 *   carried out, without its answer.
 */
export async function deployKilled(
  { folder }: { folder: string },
  cloud: Ministack,
  at?: { point: number; when: 'before' | 'after'; by: NodeJS.Signals },
): Promise<{ died: boolean; requests: number; code: number | null }> {
  let requests = 0
  let child: ChildProcess | undefined
  const proxy = await faultyProxy(cloud.url, () => {
    requests += 1
    if (at === undefined || requests !== at.point) return 'pass'
    child?.kill(at.by)
    if (at.by !== 'SIGKILL') return 'pass'
    return at.when === 'before' ? 'hang' : 'lose'
  })
  try {
    const started = startDeploy(folder, proxy)
    child = started.child
    const { code, signal } = await started.ended
    return { died: signal === 'SIGKILL', requests, code }
  } finally {
    proxy.close()
  }
}
