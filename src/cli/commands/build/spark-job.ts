import type { Command } from 'commander'
import { stopSignal } from '../../../process/stop-signal.js'

export function define(command: Command): Command {
  return command.addHelpText(
    'after',
    `
Runs the job that MORAINE_JOB names, of the lake at MORAINE_ROOT and by the file MORAINE_DEFINITION, within a program that Spark
has started. Jobs of Glue start it by themselves: see glue in aws({ … })`,
  )
}

export async function run(): Promise<number> {
  const { runSparkJob } = await import('../../../aws/spark-job/run-spark-job.js')
  const stop = stopSignal()
  try {
    const { outcome } = await runSparkJob(stop.signal)
    return outcome === 'done' ? 0 : 1
  } finally {
    stop[Symbol.dispose]()
  }
}
