import { secondsOf } from '../../../define/interval.js'
import { bytesOf } from '../../../define/size.js'
import type { Job } from '../../../plan/jobs.js'
import type { AwsDeploy } from '../../options/aws.js'

/** What the projection takes: its log, metadata of tables, and an engine for views. */
export const PROJECTION = { memory: 1024, disk: 512, timeout: 300 } as const
/** What an address of the catalog takes. */
export const CATALOG = { memory: 1024, disk: 512, timeout: 60 } as const

const MIB = 2 ** 20
/** The longest that a function runs. */
const LONGEST = 900

/** Memory and disk of a function in MiB. */
export interface Sizes {
  readonly memory: number
  readonly disk: number
}

/** What a function has of which nothing is known. */
const LEAST: Sizes = { memory: 2048, disk: 4096 }
/** The most that Lambda gives of either. */
const MOST = 10_240
const STEPS = [2048, 4096, 6144, 8192, MOST]

/**
 * What a job's function needs for the tables that it reads and writes: each may be on its disk as a
 * copy and anew, and a part of the largest in its memory, as Parquet takes several times as much
 * there. The engine spills what is more.
 *
 * @param bytes of its tables, and of the largest of them.
 */
export function sizesFor(bytes: { all: number; largest: number }): Sizes {
  const step = (needed: number, least: number) =>
    STEPS.find((one) => one >= Math.max(needed, least)) ?? MOST
  return {
    memory: step(1024 + (3 * bytes.largest) / MIB, LEAST.memory),
    // A third of it is for copies.
    disk: step(1024 + (3 * bytes.all) / MIB, LEAST.disk),
  }
}

/**
 * The same for a function that is there: one that has enough, and not more than twice that, keeps
 * what it has, so that no deployment changes it because a table has grown a little.
 */
export function keptSizes(needed: Sizes, there: Sizes | undefined): Sizes {
  const keep = (most: number, has = most) => (has >= most && has <= 2 * most ? has : most)
  return {
    memory: keep(needed.memory, there?.memory),
    disk: keep(needed.disk, there?.disk),
  }
}

interface Sizing {
  readonly deploy: AwsDeploy
  readonly sizes: ReadonlyMap<string, Sizes>
}

/** Memory and disk in MiB, and seconds, that a job's function has: what options say comes first. */
export function sizesOf({ deploy, sizes }: Sizing, job: Job) {
  const { memory, disk, timeout } = { ...deploy.functions, ...deploy.jobs?.[job.name] }
  const own = secondsOf(timeout ?? job.schedule?.policy.timeout ?? '15m') ?? LONGEST
  const planned = sizes.get(job.name) ?? LEAST
  return {
    memory: memory === undefined ? planned.memory : mebibytes(memory),
    disk: disk === undefined ? planned.disk : mebibytes(disk),
    timeout: Math.min(own, LONGEST),
  }
}

const mebibytes = (size: string) => Math.floor((bytesOf(size) ?? 0) / MIB)
