import { secondsOf } from '../../../define/interval.js'
import { bytesOf } from '../../../define/size.js'
import type { Job } from '../../../plan/jobs.js'
import type { Context } from '../context.js'

/** What the projection takes: its log, metadata of tables, and an engine for views. */
export const PROJECTION = { memory: 1024, disk: 512, timeout: 300 } as const
/** What an address of the catalog takes. */
export const CATALOG = { memory: 1024, disk: 512, timeout: 60 } as const

const MIB = 2 ** 20
/** The longest that a function runs. */
const LONGEST = 900

/** Memory and disk in MiB, and seconds, that a job's function has. */
export function sizesOf({ deploy }: Pick<Context, 'deploy'>, job: Job) {
  const { memory, disk, timeout } = { ...deploy.functions, ...deploy.jobs?.[job.name] }
  const own = secondsOf(timeout ?? job.schedule?.policy.timeout ?? '15m') ?? LONGEST
  return {
    memory: mebibytes(memory ?? '2048MiB'),
    disk: mebibytes(disk ?? '4096MiB'),
    timeout: Math.min(own, LONGEST),
  }
}

const mebibytes = (size: string) => Math.floor((bytesOf(size) ?? 0) / MIB)
