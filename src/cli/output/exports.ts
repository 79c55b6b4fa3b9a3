import { fullName } from '../../define/dataset.js'
import type { ExportResult } from '../../define/export/exported.js'
import type { ExportTable } from '../../define/export/target.js'
import type { Lake } from '../../define/lake.js'
import { again } from '../branch/again.js'
import colors from './colors.js'
import { count, duration, plural } from './format.js'

const marks: Readonly<Record<ExportResult['outcome'], string>> = {
  exported: colors.green('✔'),
  unchanged: colors.dim('·'),
  failed: colors.red('✖'),
  empty: colors.yellow('⊘'),
  planned: colors.cyan('→'),
}

/** What became of one table of a warehouse, for people. */
export function exportLines(result: ExportResult): string[] {
  const { warehouse, table, dataset, outcome, error } = result
  const head = `${marks[outcome]} ${dataset} → ${warehouse}: ${table}  `
  if (outcome === 'failed')
    return [
      `${head}${colors.red('failed')}`,
      `  ${error?.message ?? result.reason}`,
      ...(error?.hint ? [`  ${colors.cyan('→')} ${again(error.hint)}`] : []),
    ]
  if (outcome === 'exported') return [`${head}${exportedText(result)}`]
  const text = outcome === 'planned' ? plannedText(result) : result.reason
  return [outcome === 'unchanged' ? colors.dim(`${head}${text}`) : `${head}${text}`]
}

function exportedText({ mode, written = 0, rows = 0, seconds, commit, reason }: ExportResult) {
  const what =
    mode === 'changes'
      ? `${plural(written, 'row')} written of ${count(rows)}`
      : `${plural(rows, 'row')} (${reason})`
  return `${what}, as of commit ${commit}, compared, ${duration(seconds)}`
}

function plannedText({ mode, rows, reason, behind }: ExportResult): string {
  const what = mode === 'changes' ? 'what changed' : plural(rows ?? 0, 'row')
  const far = behind === undefined ? '' : `${plural(behind, 'commit')} behind, `
  return `${far}would write ${what}: ${reason}`
}

/**
 * Warehouses that have some datasets. What is changed otherwise than by a run, they have once they
 * are exported.
 */
export function warehousesOf(lake: Lake | undefined, names: readonly string[]): string[] {
  const isAmong = ({ dataset }: ExportTable) => names.includes(fullName(dataset))
  return (lake?.exports ?? []).flatMap(({ name, tables }) => (tables.some(isAmong) ? [name] : []))
}

/** That warehouses do not have yet what has just been changed. */
export const unexportedLines = (warehouses: readonly string[]): string[] =>
  warehouses.length === 0
    ? []
    : [
        again(
          `Not in warehouses yet (${warehouses.join(', ')}). To bring them up to date: moraine export`,
        ),
      ]

/** How far warehouses are behind, for people. */
export function behindLines(results: readonly ExportResult[]): string[] {
  if (results.length === 0) return []
  const isBehind = results.some(({ outcome }) => outcome === 'planned')
  return [
    '',
    ...results.flatMap(exportLines),
    ...(isBehind ? [colors.dim('To bring warehouses up to date: moraine export')] : []),
  ]
}
