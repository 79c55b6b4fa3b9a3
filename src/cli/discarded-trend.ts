import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { Journal } from '../step/journal.js'
import type { Storage } from '../storage/storage.js'
import { readableTime, toJson } from './output/format.js'
import { textTable } from './output/table.js'
import { print } from './project.js'

/** Runs that the trend goes back. */
const RUNS = 30

/** What the last runs that read rows discarded. */
export async function showTrend(
  storage: Storage,
  dataset: Silver<any>,
  { json, branch }: { json: boolean; branch: string | undefined },
): Promise<number> {
  const entries = await new Journal(storage).latestOn(branch, RUNS)
  const runs = entries.reverse().flatMap(({ run, started, record }) => {
    const step = record?.steps.find((s) => s.dataset === fullName(dataset) && s.counts)
    if (!step?.counts || step.counts.in === 0) return []
    const { in: read, discarded } = step.counts
    return [
      { run, started, in: read, discarded, share: discarded / read, reasons: step.discarded ?? [] },
    ]
  })
  if (json) {
    print(toJson(runs, 2))
    return 0
  }
  const most = Math.max(...runs.map(({ share }) => share), 0)
  const columns = ['run at', 'in', 'discarded', '%', ' ', 'mostly for'].map((name) => ({
    name,
    right: ['in', 'discarded', '%'].includes(name),
  }))
  const rows = runs.map(({ started, in: read, discarded, share, reasons }) => ({
    'run at': readableTime(started),
    in: read,
    discarded,
    '%': (share * 100).toFixed(2),
    ' ': '▇'.repeat(most === 0 ? 0 : Math.ceil((share / most) * 20)),
    'mostly for': reasons[0]?.reason ?? '',
  }))
  print(rows.length === 0 ? 'None of the last runs has read rows.' : textTable(columns, rows))
  return 0
}
