import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import { nextTime } from '../../../define/schedule.js'
import { MoraineError } from '../../../errors.js'
import { type Job, jobsOf } from '../../../plan/jobs.js'
import { Lease, pausedJobs } from '../../../schedule/leases.js'
import { examples } from '../../examples.js'
import { readableTime, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { whenOf } from '../../output/when.js'
import { openProject, print } from '../../project.js'
import { pauseJob, resumeJob } from './pausing.js'

export function define(command: Command): Command {
  return command
    .option('--pause <job>', 'pause a job until it is resumed')
    .option('--resume <job>', 'resume a job')
    .addHelpText(
      'after',
      examples(
        ['what runs when?', 'moraine schedule'],
        ['pause one job', 'moraine schedule --pause bronze.orders'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const project = await openProject(command)
  const { lake, storage, json } = project
  const jobs = jobsOf(lake)
  const options = command.opts<{ pause?: string; resume?: string }>()
  if (options.pause !== undefined) await pauseJob(project, jobOf(jobs, options.pause).name)
  const missed =
    options.resume === undefined
      ? undefined
      : await resumeJob(project, jobOf(jobs, options.resume).name)
  const paused = await pausedJobs(storage)
  const now = new Date()
  const rows = await Promise.all(
    jobs.map(async (job) => {
      const { slot, succeeded, failed, holder, until } = await new Lease(storage, job.name).look()
      const next = job.schedule && nextTime(job.schedule, now)
      return {
        job: job.name,
        when: whenOf(job),
        next: paused.has(job.name) ? null : (next?.toISOString() ?? null),
        lastTime: slot,
        lastSuccess: succeeded,
        lastFailure: failed ?? null,
        state: paused.has(job.name)
          ? 'paused'
          : holder !== null && until > now.getTime()
            ? 'running'
            : failed
              ? 'failed'
              : 'waiting',
        datasets: job.datasets.map(fullName),
      }
    }),
  )
  if (json) print(toJson(rows, 2))
  else if (rows.length === 0) print('No dataset has a schedule or accepts incoming data.')
  else {
    const time = (text: string | null) => (text ? readableTime(text) : '-')
    print(
      textTable(
        ['job', 'when', 'next', 'last success', 'state'].map((name) => ({ name })),
        rows.map(({ job, when, next, lastSuccess, state }) => ({
          job,
          when,
          next: time(next),
          'last success': time(lastSuccess),
          state,
        })),
      ),
    )
  }
  if (!json && rows.some(({ state }) => state === 'failed'))
    print(
      '\nfailed: no retries left; it runs again at its next scheduled time. Details: moraine runs --failed',
    )
  if (!json && missed !== undefined) print(`\n${missed}`)
  return 0
}

function jobOf(jobs: readonly Job[], name: string): Job {
  const found = jobs.find((job) => job.name === name || job.name.endsWith(`.${name}`))
  if (found) return found
  throw new MoraineError('usage', `There is no job '${name}'`, {
    hint: `The jobs are: ${jobs.map((job) => job.name).join(', ') || 'none'}`,
  })
}
