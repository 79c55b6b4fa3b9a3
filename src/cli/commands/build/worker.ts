import type { Command } from 'commander'
import { MoraineError } from '../../../errors.js'
import { userVariable, variable } from '../../../settings.js'

export function define(command: Command): Command {
  return command.addHelpText(
    'after',
    `
Reads tasks from standard input and writes replies to standard output, one JSON document a line.
Runs start workers by themselves: see engine: workers(4) in lake.ts, or moraine run --engine workers:4`,
  )
}

export async function run(): Promise<number> {
  if (process.stdin.isTTY)
    throw new MoraineError('usage', 'A worker reads its tasks from a run', {
      hint: 'Runs start workers by themselves: moraine run --engine workers:4',
    })
  const { serveWorker } = await import('../../../load/workers/serve-worker.js')
  return (await serveWorker(secretsOfJob)) ? 0 : 1
}

/** Workers of a job that is deployed may have the names of its secrets alone. */
async function secretsOfJob(): Promise<void> {
  if (!variable('MORAINE_SECRETS')) return
  const { fetchSecrets } = await import('../../../aws/lambda/secrets.js')
  await fetchSecrets((name) => !userVariable(name))
}
