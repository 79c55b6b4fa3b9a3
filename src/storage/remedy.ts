import { MoraineError } from '../errors.js'

/** How what lies at a path comes back: by the command that makes it anew, where there is one. */
export function remedyFor(path: string): string {
  const parts = path.split('/')
  const [tier = ''] = parts
  const inTable = Math.max(parts.lastIndexOf('data'), parts.lastIndexOf('metadata'))
  const table = parts[inTable - 1]
  if (parts.includes('metadata') && path.endsWith('.metadata.json'))
    return 'Restore it from a backup, or roll back to an earlier state: moraine rollback --to COMMIT. moraine repair shows what else is damaged, and repairs what it can.'
  if (tier === 'bronze')
    return `Restore it from a backup; if ${parts[1]} is archived, rebuild it with: moraine rebuild ${parts[1]} --from archive. moraine repair shows what else is damaged, and repairs what it can.`
  if (table && tier === 'gold')
    return `Rebuild it with: moraine run gold.${table} --full. moraine repair shows what else is damaged, and repairs what it can.`
  if (table && ['silver', 'discarded', 'deleted', 'history', 'tombstones', 'ended'].includes(tier))
    return `Rebuild it from bronze with: moraine run silver.${table} --full. moraine repair shows what else is damaged, and repairs what it can.`
  return 'Restore it from a backup. moraine repair shows what else is damaged, and repairs what it can.'
}

/** An object that the log leads to and that is not there. */
export function missing(path: string, cause?: unknown): MoraineError {
  return new MoraineError('storage', `${path} is missing`, {
    cause,
    path,
    doing: 'read',
    hint: remedyFor(path),
  })
}
