import type { Command } from 'commander'
import { type AuditRecord, isRefused } from '../../../query/audit/call.js'
import { auditTrail } from '../../../query/audit/read.js'
import { spanOf } from '../../duration.js'
import { examples } from '../../examples.js'
import { readableTime, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { openLog, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .option('-n, --limit <lines>', 'number of calls to show, newest first', '50')
    .option('--principal <name>', 'only calls of this principal')
    .option('--refused', 'only calls that were refused (status 401 or 403)')
    .option('--writes', 'only calls that made a commit')
    .option('--since <time>', 'only calls at or after this time, or in this last while (12h)')
    .option('--until <time>', 'only calls before this time, or this long ago')
    .addHelpText(
      'after',
      examples(
        ['who called the catalog recently?', 'moraine audit'],
        ['what was refused, and to whom?', 'moraine audit --refused --since 2026-01-31'],
        ['what has a principal written?', 'moraine audit --principal ml --writes'],
      ),
    )
}

interface Options {
  limit: number
  principal?: string
  refused?: boolean
  writes?: boolean
  since?: string
  until?: string
}

export async function run(command: Command): Promise<number> {
  const { storage, json } = await openLog(command)
  const options = command.opts<Options>()
  const { limit } = options
  const { from, to } = spanOf(options)
  const shown: AuditRecord[] = []
  for await (const record of auditTrail(storage, from)) {
    if (shown.length >= limit) break
    if (to && new Date(record.time) >= to) continue
    if (isWanted(record, options)) shown.push(record)
  }
  if (json) print(toJson(shown, 2))
  else if (shown.length === 0)
    print('No such calls. moraine serve --catalog records calls, for 30 days.')
  else printList(shown)
  return 0
}

function isWanted(record: AuditRecord, { principal, refused, writes }: Options): boolean {
  // That some are missing is part of every answer.
  if ('lost' in record) return true
  if (principal !== undefined && record.principal !== principal) return false
  if (refused && !isRefused(record)) return false
  return !writes || record.commit !== undefined
}

function printList(records: readonly AuditRecord[]): void {
  const rows = records.map((record) => {
    const time = readableTime(record.time).replace(/\.\d+/, '')
    if ('lost' in record) return { time, call: `${record.lost} calls were not recorded` }
    const { principal, route, names, status, error, milliseconds, calls, commit, from } = record
    return {
      time,
      principal: principal ?? '?',
      call: `${shortened(route)}${calls === undefined ? '' : ` (${calls} calls)`}`,
      names: names.join(', '),
      status: error === undefined ? String(status) : `${status} ${error}`,
      ms: milliseconds,
      commit: commit ?? '',
      from: from ?? '',
    }
  })
  const columns = ['time', 'principal', 'call', 'names', 'status', 'ms', 'commit', 'from']
  print(
    textTable(
      columns.map((name) => ({ name, right: name === 'ms' || name === 'commit' })),
      rows,
    ),
  )
}

/** A route without what all of them begin with. */
const shortened = (route: string | null) =>
  route?.replace(/ \/v1\/(\{prefix\}\/)?/, ' ') ?? 'no such route'
