import { abortController } from '../../signals.js'
import { project as projectLake } from '../glue/project.js'
import { adviceOn, type Projected } from '../glue/report.js'
import { glueClient } from '../glue/sdk-client.js'
import { type FunctionLake, functionLake } from './function-lake.js'
import type { QueueAnswer } from './inbox.js'
import { measure, tell } from './log.js'
import type { FunctionContext } from './run-job.js'

/** What is left to end in order, in milliseconds. */
const MARGIN = 5_000

/**
 * Shows the lake in Glue's catalog as its log has it now. Messages are signs to look: it reads
 * nothing of them, so that they may come twice, late, or in any order.
 *
 * @throws where it could not, so that the messages come again.
 */
export async function project(_event: unknown, context: FunctionContext): Promise<QueueAnswer> {
  const of = await functionLake()
  const stop = abortController()
  const left = context.getRemainingTimeInMillis() - MARGIN
  const timer = setTimeout(() => stop.abort(), Math.max(0, left))
  try {
    tellProjected(of, await projectOnce(of, stop.signal))
  } finally {
    clearTimeout(timer)
  }
  return { batchItemFailures: [] }
}

async function projectOnce({ lake, house }: FunctionLake, signal: AbortSignal) {
  const glue = await glueClient({}, signal)
  const closing: (() => unknown)[] = [() => glue.close()]
  /** Views alone need an engine: it starts with the first of them. */
  const open = async () => {
    const engine = await house.startEngine()
    closing.unshift(() => engine.close())
    await engine.confine([house.storage.url])
    const session = await engine.open()
    closing.unshift(() => session.close())
    return session
  }
  let session: ReturnType<typeof open> | undefined
  try {
    const { storage, log } = house
    return await projectLake({
      ...{ lake, storage, log, glue, signal },
      session: () => {
        session ??= open()
        return session
      },
    })
  } finally {
    for (const close of closing) await close()
  }
}

function tellProjected({ lake }: FunctionLake, projected: Projected): void {
  const { commit, changes, unchanged, setAside, notes } = projected
  tell('info', { event: 'projected', commit, unchanged, changes, notes })
  for (const { dataset, table, why, pointer } of setAside)
    tell('warn', {
      ...{ event: 'table set aside', dataset, table, message: why, pointer },
      hint: adviceOn({ why, dataset }, "aws({ databases: '…' })"),
    })
  const count = (value: number) => ({ value, unit: 'Count' as const })
  measure({
    lake: lake.name,
    job: 'projection',
    figures: { TablesProjected: count(changes.length), TablesSetAside: count(setAside.length) },
  })
}
