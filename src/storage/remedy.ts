import { MoraineError } from '../errors.js'

/** How what lies at a path comes back: by the command that makes it anew, where there is one. */
export function remedyFor(path: string): string {
  const parts = path.split('/')
  const [tier = ''] = parts
  const inTable = Math.max(parts.lastIndexOf('data'), parts.lastIndexOf('metadata'))
  const table = parts[inTable - 1]
  if (parts.includes('metadata') && path.endsWith('.metadata.json'))
    return 'Restore it from a backup, or bring an earlier state back: moraine rollback --to COMMIT. moraine repair shows what else is wrong, and mends what can be.'
  if (tier === 'bronze')
    return `Restore it from a backup; where ${parts[1]} is archived, it is made anew with: moraine rebuild ${parts[1]} --from archive. moraine repair shows what else is wrong, and mends what can be.`
  if (table && tier === 'gold')
    return `It is made anew with: moraine run gold.${table} --full. moraine repair shows what else is wrong, and mends what can be.`
  if (table && ['silver', 'discarded', 'deleted', 'history', 'ended'].includes(tier))
    return `It is made anew from bronze with: moraine run silver.${table} --full. moraine repair shows what else is wrong, and mends what can be.`
  return 'Restore it from a backup. moraine repair shows what else is wrong, and mends what can be.'
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
