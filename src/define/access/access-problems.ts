import type { Problem } from '../../errors.js'
import { fullName } from '../dataset.js'
import { inputsOf } from '../inputs.js'
import type { AnyDataset } from '../model.js'
import { nearest } from '../nearest.js'
import { SYSTEM, systemNames } from '../sql/name.js'
import { isView, viewsIn } from '../sql/sql.js'
import type { Oidc } from './oidc.js'
import type { Principal, WrittenGrant } from './principal.js'
import { type Levels, rightsOf } from './rights.js'
import type { WrittenRules } from './rules.js'
import type { Workgroup } from './workgroup.js'

/** Namespaces of the lake's own tables. */
const TIERS = ['bronze', 'silver', 'gold', 'discarded', 'history', SYSTEM]

/** What is wrong with who may do what, beside each principal's own options. */
export function accessProblems(
  principals: readonly Principal[],
  datasets: readonly AnyDataset[],
): Problem[] {
  const known = tablesOf(datasets)
  return [
    ...twice(principals),
    ...principals.flatMap((one) =>
      one.rules.flatMap((rules) => unruly(one, rules, known, datasets)),
    ),
    ...principals.flatMap((one) =>
      [...one.read, ...one.write].flatMap((grant) => unmatched(one, grant, known)),
    ),
  ]
}

/** Principals that a provider names where there is none, and those whom it names alike. */
export function oidcProblems(principals: readonly Principal[], oidc: Oidc | undefined): Problem[] {
  return principals.flatMap((one, i) => {
    if (one.oidc === undefined) return []
    const what = `principal '${one.name}': oidc '${one.oidc}'`
    const other = principals.slice(0, i).find((before) => before.oidc === one.oidc)
    if (other)
      return [problem(one, `${what} is that of '${other.name}' as well`, one.oidc, placeOf(other))]
    if (oidc) return []
    const hint = "Add to defineLake: oidc: { issuer: 'https://…', audience: '…', claim: 'email' }"
    return [problem(one, `${what} is of no provider: the lake has none`, one.oidc, hint)]
  })
}

/** Workgroups of one name, and members that nobody is. */
export function workgroupProblems(
  workgroups: readonly Workgroup[],
  principals: readonly Principal[] | undefined,
): Problem[] {
  return workgroups.flatMap((one, i) => {
    const { name, place, members = [] } = one
    const say = (message: string, near: string, hint: string) => ({
      message,
      hint,
      place: place && { ...place, near },
    })
    const strangers = members.filter(
      (member) => principals && !principals.some((known) => known.name === member),
    )
    return [
      ...(workgroups.slice(0, i).some((other) => other.name === name)
        ? [say(`Two workgroups are named '${name}'`, name, 'Rename one of them.')]
        : []),
      ...strangers.map((member) =>
        say(
          `workgroup '${name}': '${member}' is not a principal`,
          `'${member}'`,
          `The principals of access are: ${principals?.map((known) => known.name).join(', ')}`,
        ),
      ),
    ]
  })
}

/** Names of tables that these datasets have. */
function tablesOf(datasets: readonly AnyDataset[]): string[] {
  const system = systemNames.map((name) => `${SYSTEM}.${name}`)
  const own = datasets.flatMap((dataset) => {
    const { name } = dataset
    if (dataset.tier !== 'silver') return [fullName(dataset)]
    const both = [fullName(dataset), `discarded.${name}`]
    return dataset.history ? [...both, `history.${name}`] : both
  })
  return [...own, ...system]
}

function twice(principals: readonly Principal[]): Problem[] {
  return principals.flatMap((one, i) => {
    const others = principals.slice(0, i)
    const named = others.find(({ name }) => name.toLowerCase() === one.name.toLowerCase())
    const secretsOf = (of: Principal) =>
      [of.token, of.clientSecret, of.secretAccessKey, of.password].filter((s) => s !== undefined)
    const key = others.find(({ accessKeyId }) => accessKeyId === one.accessKeyId)
    const same = others.find((other) => secretsOf(other).some((s) => secretsOf(one).includes(s)))
    return [
      ...(named
        ? [problem(one, `Two principals are named '${one.name}'`, one.name, placeOf(named))]
        : []),
      ...(key && key !== named
        ? [
            problem(
              one,
              `The principals '${key.name}' and '${one.name}' have the same accessKeyId`,
              one.accessKeyId,
              'Give each a key of its own.',
            ),
          ]
        : []),
      ...(same
        ? [
            problem(
              one,
              `The principals '${same.name}' and '${one.name}' have the same secret: requests of one could be the other's`,
              undefined,
              'Give each a secret of its own.',
            ),
          ]
        : []),
    ]
  })
}

const placeOf = ({ place }: Principal) =>
  place ? `The first is on line ${place.line}; rename one of them.` : undefined

/** A grant for tables of the lake that there are not; of other engines' nothing is known yet. */
function unmatched(
  one: Principal,
  { levels, below, text }: WrittenGrant,
  known: readonly string[],
): Problem[] {
  const [tier = ''] = levels
  const say = (what: string, hint?: string) => [
    problem(one, `principal '${one.name}': '${text}' ${what}`, `'${text}'`, hint),
  ]
  if (levels.length === 0) return []
  if (!TIERS.includes(tier)) {
    const meant = TIERS.find((name) => isMisspelt(tier, name))
    return meant ? say('is not a namespace of the lake', `Did you mean '${meant}'?`) : []
  }
  const tables = known.filter((name) => name.startsWith(`${tier}.`))
  if (below && levels.length === 1)
    return tables.length > 0 ? [] : say(`matches nothing: the lake has no tables in ${tier}`)
  const full = levels.join('.')
  if (!below && known.includes(full)) return []
  const similar = nearest(full, known)
  return say(
    below ? `matches nothing: ${tier} has no nested namespaces` : 'is not a table of the lake',
    similar && !below
      ? `Did you mean '${similar}'?`
      : tables.length > 0
        ? `Tables in ${tier}: ${tables.join(', ')}`
        : undefined,
  )
}

/** Rules of a table that there is not, that may not be read, or whose files are written. */
function unruly(
  one: Principal,
  rules: WrittenRules,
  known: readonly string[],
  datasets: readonly AnyDataset[],
): Problem[] {
  const { levels, text } = rules
  const { name, read, write } = one
  const say = (what: string, hint: string) => [
    problem(one, `principal '${name}': ${what}`, `'${text}'`, hint),
  ]
  const grant = { levels, below: false, text }
  const missing = unmatched(one, grant, known)
  if (missing.length > 0) return missing
  if (rightsOf([], write).may('write', levels))
    return say(
      `masks or rows of ${text} are kept from it, and it may write the table`,
      'Grant it read alone: a principal that writes a table can open its files.',
    )
  if (!rightsOf(read, []).may('read', levels))
    return say(`${text} has masks or rows, and may not be read`, `Grant it: read: ['${text}']`)
  const hasOwn = (view: Levels) => one.rules.some((own) => own.levels.join('.') === view.join('.'))
  const reader = viewsOn(levels, datasets).find(
    (view) => rightsOf(read, []).may('read', view) && !hasOwn(view),
  )
  if (reader)
    return say(
      `it may read ${reader.join('.')}, which holds the query of ${text} and none of its masks or rows`,
      'Put them on the tables that the view reads: there they hold for every view.',
    )
  const raw = sourcesOf(levels, datasets).find((source) => rightsOf(read, []).may('read', source))
  if (raw)
    return say(
      `it may read ${raw.join('.')}, which holds the values of ${text} that are kept from it`,
      `Take that grant away, or the masks and rows of ${text}.`,
    )
  return []
}

/** The bronze datasets that a table is made of, by their levels. */
function sourcesOf(levels: Levels, datasets: readonly AnyDataset[]): Levels[] {
  const table = datasets.find((dataset) => fullName(dataset) === levels.join('.'))
  return table
    ? inputsOf(table).flatMap(({ tier, name }) => (tier === 'bronze' ? [[tier, name]] : []))
    : []
}

/** The views that are made of a view, by their levels: its query is a part of theirs. */
function viewsOn(levels: Levels, datasets: readonly AnyDataset[]): Levels[] {
  const isMadeOf = (dataset: AnyDataset): boolean =>
    isView(dataset) &&
    viewsIn(dataset.query).some((view) => fullName(view) === levels.join('.') || isMadeOf(view))
  return datasets.filter(isMadeOf).map(({ tier, name }) => [tier, name])
}

/** Other case, or two letters swapped. More may be a name of its own, such as `old` for `gold`. */
function isMisspelt(name: string, right: string): boolean {
  const letters = (text: string) => [...text.toLowerCase()].sort().join('')
  return letters(name) === letters(right)
}

function problem(
  { place }: Principal,
  message: string,
  near?: string,
  hint?: string | undefined,
): Problem {
  return { message, hint, place: place && { ...place, ...(near ? { near } : {}) } }
}
