import { nearest } from '../../define/nearest.js'
import { object, texts } from '../../define/options/expected.js'
import { type Expected, needed, type OptionList } from '../../define/options/options.js'
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

const LAYERS = ['bronze', 'silver', 'gold', 'discarded', 'history']
const READ = new RegExp(`^(${LAYERS.join('|')})(\\.[A-Za-z][A-Za-z0-9_]*)?$`)
const ARN = /^arn:aws[a-z-]*:iam::\d{12}:(root|(user|role)\/[\w+=,.@/-]+)$/
/**
 * Athena stops no query earlier:
 * https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
 */
const LEAST = 10_000_000

const some = (value: unknown, each: RegExp) =>
  texts.fits(value) &&
  (value as string[]).length > 0 &&
  (value as string[]).every((one) => each.test(one))

const teamList: OptionList<Team> = {
  read: needed({
    is: "a list of layers and tables, such as ['silver', 'gold', 'bronze.orders']",
    fits: (value) => some(value, READ),
    advise: (value) => (texts.fits(value) ? adviceFor(value as string[]) : undefined),
  }),
  cutoff: {
    is: "a size of at least '10MB'",
    fits: (value) => typeof value === 'string' && (bytesOf(value) ?? 0) >= LEAST,
  },
  members: { is: 'a list of ARNs of users and roles of IAM', fits: (value) => some(value, ARN) },
}

/** What was most likely meant by the first name that is neither a layer nor a table. */
function adviceFor(names: readonly string[]): string | undefined {
  const odd = names.find((name) => !READ.test(name))
  if (odd === undefined) return undefined
  const [first = '', ...table] = odd.split('.')
  const similar = nearest(first, LAYERS)
  if (similar !== undefined && similar !== first)
    return `Did you mean '${[similar, ...table].join('.')}'?`
  return table.length === 0 && /^\w+$/.test(odd)
    ? `The layers are: ${LAYERS.join(', ')}. A table stands behind its layer: 'silver.${odd}'`
    : undefined
}

export const teams: Expected = {
  is: "teams by name, such as { analysts: { read: ['silver', 'gold'], cutoff: '50GB' } }",
  fits: (value) =>
    object.fits(value) &&
    Object.keys(value as object).length > 0 &&
    Object.keys(value as object).every((name) => /^[a-z][a-z0-9-]{0,31}$/.test(name)),
  each: teamList,
  advise: () => 'Names begin with a letter, and have lower-case letters, digits and -.',
}
