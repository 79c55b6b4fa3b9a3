import { object, texts } from '../../define/options/expected.js'
import type { Expected } from '../../define/options/options.js'
import { bytesOf } from '../../define/size.js'

/** Who reads a lake on AWS: a role to take, and a workgroup of Athena. */
export interface Team {
  /** Layers and tables: `['silver', 'gold', 'bronze.orders']`. */
  read: readonly string[]
  /** Bytes that one query may read, at least `10MB`. Default: `100GB`. */
  cutoff?: string
  /** ARNs of the users and roles that may take the role. Default: those that the account lets. */
  members?: readonly string[]
}

const READ = /^(bronze|silver|gold|discarded|history)(\.[A-Za-z][A-Za-z0-9_]*)?$/
const ARN = /^arn:aws[a-z-]*:iam::\d{12}:(root|(user|role)\/[\w+=,.@/-]+)$/
/**
 * Athena stops no query earlier:
 * https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
 */
const LEAST = 10_000_000

const fits: Readonly<Record<keyof Team, (value: unknown) => boolean>> = {
  read: (value) =>
    texts.fits(value) &&
    (value as string[]).length > 0 &&
    (value as string[]).every((one) => READ.test(one)),
  cutoff: (value) => typeof value === 'string' && (bytesOf(value) ?? 0) >= LEAST,
  members: (value) =>
    texts.fits(value) &&
    (value as string[]).length > 0 &&
    (value as string[]).every((one) => ARN.test(one)),
}

const isTeam = (value: unknown) =>
  object.fits(value) &&
  'read' in (value as object) &&
  Object.entries(value as object).every(
    ([name, one]) =>
      Object.hasOwn(fits, name) && (one === undefined || fits[name as keyof Team](one)),
  )

export const teams: Expected = {
  is: "teams by name, such as { analysts: { read: ['silver', 'gold'], cutoff: '50GB' } }",
  fits: (value) =>
    object.fits(value) &&
    Object.keys(value as object).length > 0 &&
    Object.entries(value as object).every(
      ([name, team]) => /^[a-z][a-z0-9-]{0,31}$/.test(name) && isTeam(team),
    ),
  advise: () =>
    "Names have lower-case letters, digits and -; read lists layers and tables; cutoff is at least '10MB'; members are ARNs of IAM.",
}
