import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import { nearest } from '../define/nearest.js'
import { MoraineError } from '../errors.js'

/**
 * The bronze datasets that an option of a run names, in full or without their tier.
 *
 * @throws MoraineError of kind `usage` for names of none that is read in this run.
 */
export function sourcesNamed(
  option: string,
  names: readonly string[],
  datasets: readonly AnyDataset[],
): Bronze[] {
  const bronze = datasets.filter((dataset): dataset is Bronze => dataset.tier === 'bronze')
  return names.map((name) => {
    const found = bronze.find((dataset) => fullName(dataset) === name || dataset.name === name)
    if (found) return found
    const known = bronze.map(fullName)
    const similar = nearest(name.includes('.') ? name : `bronze.${name}`, known)
    throw new MoraineError('usage', `${option} ${name}: this run does not read such a dataset`, {
      hint: similar ? `Did you mean '${similar}'?` : `It reads: ${known.join(', ') || 'none'}`,
    })
  })
}

/**
 * The full names of datasets whose files are to be read again, all of them, as their definition
 * says now.
 *
 * @throws MoraineError of kind `usage` where the source is none of files that are still there.
 */
export function filesToReread(
  names: readonly string[],
  datasets: readonly AnyDataset[],
): ReadonlySet<string> {
  const found = sourcesNamed('--reread', names, datasets)
  for (const { from, name } of found)
    if (from.kind !== 'files' || from.follow || from.full)
      throw new MoraineError(
        'usage',
        `--reread bronze.${name}: its source does not consist of files`,
        {
          hint:
            from.kind === 'database'
              ? 'To read rows of a database again, use --backfill.'
              : 'Its rows stay as they were ingested; to read everything again, rename the dataset.',
        },
      )
  return new Set(found.map(fullName))
}
