import { z } from 'zod'
import { type ErrorKind, MoraineError } from '../../errors.js'

/*
 * What a driver and `moraine worker` say to each other: one JSON document a line, on the standard
 * input and output of the worker. The driver says `hello` once, and then one task after the other;
 * the worker answers that it is ready, or why it refuses, and then each task with one reply. The
 * end of its input is the end of its work.
 */

const versions = {
  /** The version of Moraine. */
  moraine: z.string(),
  /** The version of DuckDB, such as `v1.5.5`. */
  duckdb: z.string(),
  /**
   * The version of Unicode that Node has, by which a schema's JavaScript compares texts: `16.0`.
   */
  unicode: z.string().optional(),
}

/** What a worker runs on. */
const machine = z.object({
  host: z.string(),
  /** The version of Node: `20.20.0`. */
  node: z.string(),
  /** The system and the processor: `linux x64`. */
  platform: z.string(),
  /** Cores that it may use, and bytes of memory. */
  cores: z.number(),
  memory: z.number(),
})

const hello = z.object({
  protocol: z.literal(1),
  ...versions,
  /** The definition as one file in the lake's storage: its path there, and its SHA-256. */
  definition: z.object({ path: z.string(), sha256: z.string() }),
  /** Where the lake lies; the way to open it, its credentials, the worker has of itself. */
  root: z.string(),
  /**
   * Variables that the definition reads, and that are set where the run is: their names, never what
   * they say.
   */
  environment: z.array(z.string()),
  /** The time zone in which a schema's JavaScript has dates: `Europe/Berlin`. */
  zone: z.string().optional(),
  /** The language in which it orders texts, which a process has from its beginning: `sv-SE`. */
  locale: z.string().optional(),
  /** Bytes that the worker's engine may use, and its threads. */
  memory: z.number().optional(),
  threads: z.number().optional(),
  /** Whether somebody looks at how far steps are, which costs the engine a little. */
  watched: z.boolean().optional(),
})

const ready = z.object({
  ...versions,
  /** The SHA-256 of the definition that the worker has loaded. */
  definition: z.string(),
  /** The worker, for people. */
  where: z.string(),
  machine: machine.optional(),
})

const refused = z.object({
  kind: z.string(),
  message: z.string(),
  hint: z.string().optional(),
})

const toWorker = z.union([
  z.strictObject({ hello }),
  z.strictObject({ task: z.object({ id: z.string(), attempt: z.number(), text: z.string() }) }),
])

const toDriver = z.union([
  z.strictObject({ ready }),
  z.strictObject({ refused }),
  z.strictObject({
    progress: z.object({
      id: z.string(),
      rows: z.number().optional(),
      percent: z.number().optional(),
    }),
  }),
  z.strictObject({ log: z.object({ text: z.string() }) }),
  z.strictObject({
    reply: z.object({
      id: z.string(),
      attempt: z.number(),
      text: z.string(),
      /** Whether the worker ends now: its engine is broken, and it takes no other task. */
      last: z.boolean().optional(),
    }),
  }),
])

export type Hello = z.infer<typeof hello>
export type Ready = z.infer<typeof ready>
export type Machine = z.infer<typeof machine>
export type ToWorker = z.infer<typeof toWorker>
export type ToDriver = z.infer<typeof toDriver>

/** How far somebody is; what is not known is left out. */
export function howFar({
  rows,
  percent,
}: {
  rows?: number | undefined
  percent?: number | undefined
}): { rows?: number; percent?: number } {
  return { ...(rows === undefined ? {} : { rows }), ...(percent === undefined ? {} : { percent }) }
}

export const encodeLine = (message: ToWorker | ToDriver): string => `${JSON.stringify(message)}\n`

/** What a driver says in a line; `undefined` where it is nothing of the protocol. */
export const readDriverLine = (line: string): ToWorker | undefined => parsed(toWorker, line)

/** What a worker says in a line; `undefined` where it is nothing of the protocol. */
export const readWorkerLine = (line: string): ToDriver | undefined => parsed(toDriver, line)

function parsed<T>(schema: z.ZodType<T>, line: string): T | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return schema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

/** Why a driver and a worker can't work together: both look, as either may be the older one. */
export function refusalOf(
  { moraine, duckdb, unicode, definition }: Hello,
  worker: Omit<Ready, 'where'>,
): MoraineError | undefined {
  const differs = [
    ['Moraine', moraine, worker.moraine],
    ['DuckDB', duckdb, worker.duckdb],
    ['Unicode', unicode, worker.unicode ?? unicode],
    ['the definition (SHA-256)', definition.sha256, worker.definition],
  ].find(([, here, there]) => here !== undefined && here !== there)
  if (!differs) return undefined
  const [what, here, there] = differs
  return new MoraineError(
    'conflict',
    `The worker has ${what} ${there}, and the run has ${here}: their rows could differ`,
    {
      hint:
        what === 'Unicode'
          ? 'It comes with Node: use the same version of Node wherever workers run, and run again.'
          : 'Install the same version of Moraine wherever workers run, and run again.',
    },
  )
}

/** Why a worker refused, as an error here. */
export function refusedBy({ kind, message, hint }: z.infer<typeof refused>): MoraineError {
  return new MoraineError(kind as ErrorKind, message, hint === undefined ? {} : { hint })
}
