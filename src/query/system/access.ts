import type { AuditRecord } from '../audit/call.js'
import { auditDays, auditObjects, recordsOf } from '../audit/read.js'
import { byDays } from './by-days.js'
import { columnsOf, type SystemRow, type SystemTable } from './system-table.js'

/** `system.access`: the audit trail, which tells of each call of the catalog. */
export const accessTable: SystemTable = {
  columns: columnsOf({
    time: 'timestamp',
    principal: 'string',
    route: 'string',
    names: ['string'],
    branch: 'string',
    status: 'int',
    error: 'string',
    reason: 'string',
    milliseconds: 'bigint',
    calls: 'bigint',
    commit: 'bigint',
    address: 'string',
    client: 'string',
    lost: 'bigint',
  }),
  plan: byDays('access', 'time', {
    days: auditDays,
    objects: auditObjects,
    rows: async (storage, object) => (await recordsOf(storage, object)).map(rowOf),
  }),
}

function rowOf(record: AuditRecord): SystemRow {
  if ('lost' in record) return record as unknown as SystemRow
  const { calls = 1, from, ...call } = record
  return { ...call, calls, address: from }
}
