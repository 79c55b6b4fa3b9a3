import { fullName } from '../../define/dataset.js'
import type { Job } from '../../plan/jobs.js'

/** What makes a job run, in words. */
export function whenOf({ schedule, event }: Job): string {
  const arrival = event ? ['when data arrives'] : []
  switch (schedule?.kind) {
    case 'cron':
      return [`at ${schedule.pattern} ${schedule.timezone ?? 'UTC'}`, ...arrival].join(', ')
    case 'every':
      return [`every ${schedule.interval}`, ...arrival].join(', ')
    case 'after':
      return [`after ${schedule.datasets.map(fullName).join(', ')}`, ...arrival].join(', ')
    case 'by hand':
      return arrival[0] ?? 'manual'
    default:
      return arrival[0] ?? 'never'
  }
}
