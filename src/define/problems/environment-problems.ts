import type { Problem, SourceLocation } from '../../errors.js'
import { fullName } from '../dataset.js'
import type { AnyDataset, Bronze } from '../model.js'
import { nearest } from '../nearest.js'
import type { Environment } from '../options/environments.js'
import type { LakeOptions } from '../options/lake-options.js'
import { isSample, sampleOf } from '../options/own-sources.js'
import { publishProblems } from './publish-problems.js'

const SOURCES = ['files', 'database', 'http', 'inbox', 'ingest']

/** What is wrong with where a lake is built, and with how it is published. */
export function problemsAround(
  options: Partial<Pick<LakeOptions, 'publish' | 'engine' | 'environments'>>,
  datasets: readonly AnyDataset[],
  place: SourceLocation | undefined,
): Problem[] {
  const { environments = {} } = options
  return [
    ...publishProblems(options, datasets),
    ...environmentProblems(environments, datasets, place),
  ]
}

/** What of the sources that environments name can't be read there, or would be written to main. */
function environmentProblems(
  environments: Readonly<Record<string, Environment>>,
  datasets: readonly AnyDataset[],
  place: SourceLocation | undefined,
): Problem[] {
  const at = (near: string) => place && { ...place, near }
  return Object.entries(environments).flatMap(([env, { branch, root, sources }]): Problem[] => {
    if (sources === undefined) return []
    if ((branch === undefined || branch === 'main') && root === undefined)
      return [
        {
          message: `Environment '${env}' has sources, but neither a branch nor a root: their rows would come into main`,
          hint: `Add a branch: ${env}: { branch: (user) => '${env}-' + user, sources: { … } }`,
          place: at(`${env}:`),
        },
      ]
    return Object.entries(sources).flatMap(([name, said]) =>
      sourceProblem(name, said, datasets).map(([what, hint]) => ({
        message: `Environment '${env}': ${what}`,
        hint,
        place: at(name),
      })),
    )
  })
}

/** What is wrong, and what to do. */
type Said = [what: string, hint?: string]

function sourceProblem(name: string, said: unknown, datasets: readonly AnyDataset[]): Said[] {
  const dataset = datasets.find((one) => fullName(one) === name)
  const bronze = datasets.filter((one): one is Bronze => one.tier === 'bronze')
  if (!dataset) return [[`there is no dataset '${name}'`, meant(name, bronze.map(fullName))]]
  if (dataset.tier !== 'bronze')
    return [
      [
        `${name} reads no source of its own`,
        `Name the bronze datasets that it is built of: ${bronze.map(fullName).join(', ')}`,
      ],
    ]
  if (typeof said !== 'object' || said === null)
    return [[`${name} must be a source, or { sample: 10_000 }`]]
  if (isSample(said) && Object.keys(said).length === 1)
    return sampleProblem(name, said.sample, dataset)
  const { kind } = said as { kind?: string }
  if (kind === 'server')
    return [[`${name} is a database`, "Name its table: .table('public.orders')"]]
  if (!SOURCES.includes(kind ?? ''))
    return [[`${name} must be a source, or { sample: 10_000 }`, "Write files('data/dev/*.csv')"]]
  if (kind === 'inbox' || kind === 'ingest')
    return [
      [
        `${name} can't be ${kind === 'inbox' ? 'an inbox' : 'an ingest endpoint'} there: what arrives is gone once it is read`,
        "Read files instead: files('data/dev/*.csv')",
      ],
    ]
  return []
}

function sampleProblem(name: string, sample: unknown, { from }: Bronze): Said[] {
  if (!Number.isSafeInteger(sample) || (sample as number) < 1)
    return [[`the sample of ${name} must be a number of rows, such as 10_000`]]
  if (sampleOf(from, 1)) return []
  const why =
    from.kind === 'files'
      ? 'its files are logs that are followed'
      : 'what arrives there is gone once it is read'
  return [
    [`${name} can't be sampled: ${why}`, "Give it files of its own there: files('data/dev/*.csv')"],
  ]
}

function meant(name: string, known: readonly string[]): string {
  const similar = nearest(name, known) ?? known.find((one) => one === `bronze.${name}`)
  return similar ? `Did you mean '${similar}'?` : `Bronze datasets are: ${known.join(', ')}`
}
