/**
 * Under which name the log keeps the quarantine of a dataset: `quarantine.orders` for
 * `bronze.orders`.
 */
export const quarantineKey = (dataset: string): string =>
  dataset.replace(/^bronze\./, 'quarantine.')
