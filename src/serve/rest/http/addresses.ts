import type { Context } from 'hono'
import { routePath } from 'hono/route'
import { LEVEL, shownKey } from '../../../log/external.js'
import type { Branch, Branches } from '../branches.js'
import type { Caller, Noted } from '../caller.js'
import { badRequest, noSuchNamespace } from '../errors.js'
import { checkedName, type Identifier, type Namespace, namespaceOf } from '../names.js'
import { identifierIn } from './exchange.js'

/** A request of which is known who asks. */
export type Asked = Context<{ Variables: { caller: Caller; noted: Noted } }>

/** A branch, and how its namespaces are called by whoever asks. */
export class Place {
  constructor(
    readonly branch: Branch,
    /** Its name, where requests name it within namespaces. */
    private readonly within?: string,
  ) {}

  /** A namespace of the branch, as it is asked for here. */
  shown(namespace: Namespace): Namespace {
    return this.within === undefined ? namespace : shownOf(this.within, namespace)
  }
}

/** A namespace of a branch, as it is asked for from outside of it. */
export const shownOf = (branch: string, [first, ...rest]: Namespace): Namespace => [
  `${first}@${branch}`,
  ...rest,
]

/**
 * What requests name. A branch stands before the rest of an address (`/v1/dev/namespaces`), or,
 * for engines whose catalogs are configured once, in the name of a namespace (`silver@dev`).
 */
export class Addresses {
  constructor(private readonly branches: Branches) {}

  /** The branch of an address that names no namespace. */
  async place(c: Asked): Promise<Place> {
    note(c, prefixOf(c))
    return new Place(await this.branches.named(prefixOf(c), c.get('caller').principal))
  }

  /** A namespace, as a part of an address names it, and its branch. */
  async namespace(
    c: Asked,
    text = partOf(c, 'namespace'),
  ): Promise<{ place: Place; text: string }> {
    const { text: plain, branch } = branchIn(text)
    return { place: await this.at(c, [branch]), text: plain }
  }

  /** The table or view that an address names. */
  async relation(c: Asked): Promise<{ place: Place; identifier: Identifier }> {
    return this.within(c, partOf(c, 'name'))
  }

  /** A table or view of the namespace that an address names. */
  async within(c: Asked, name: unknown): Promise<{ place: Place; identifier: Identifier }> {
    const { place, text } = await this.namespace(c)
    const namespace = namespaceOf(text, await place.branch.journal.head())
    return { place, identifier: { namespace, name: checkedName(name) } }
  }

  /** A namespace that the body of a request names. */
  async levels(c: Asked, namespace: Namespace): Promise<{ place: Place; namespace: Namespace }> {
    const { text, branch } = branchIn(namespace[0] as string)
    return { place: await this.at(c, [branch]), namespace: [text, ...namespace.slice(1)] }
  }

  /** Tables or views that the body of a request names: all of one branch. */
  async identifiers(
    c: Asked,
    values: readonly unknown[],
  ): Promise<{ place: Place; identifiers: Identifier[] }> {
    const named = values.map((value) => {
      const { namespace, name } = identifierIn(value)
      const { text, branch } = branchIn(namespace[0] as string)
      return { branch, identifier: { namespace: [text, ...namespace.slice(1)], name } }
    })
    const place = await this.at(
      c,
      named.map(({ branch }) => branch),
    )
    return { place, identifiers: named.map(({ identifier }) => identifier) }
  }

  private async at(c: Asked, within: readonly (string | undefined)[]): Promise<Place> {
    const prefix = prefixOf(c)
    const named = new Set(within.map((branch) => branch ?? prefix))
    const [branch] = named
    if (named.size > 1) throw badRequest('A request must not name tables of several branches')
    const isWithin = within.every((one) => one !== undefined) && prefix !== branch
    if (isWithin && prefix !== undefined)
      throw badRequest(`Branch ${branch} can't be reached from the address of branch ${prefix}`)
    note(c, branch)
    const { principal } = c.get('caller')
    return new Place(await this.branches.named(branch, principal), isWithin ? branch : undefined)
  }
}

function note(c: Asked, branch: string | undefined): void {
  const noted = c.get('noted')
  if (branch !== undefined) noted.branch = branch
}

const prefixOf = (c: Asked) => (c.req.param() as Readonly<Record<string, string>>).branch

/**
 * What a client that is not Iceberg's Java library says of its version, as those for Rust and Go
 * do: they leave a plus as it is. One that says nothing may be anything.
 */
const OTHER_CLIENT = /^(?!Apache Iceberg )./

/**
 * A part of the address as its client means it. A plus stands for a space, as Iceberg's Java client
 * writes one up to version 1.11, and the reference server reads it (apache/iceberg#12308).
 *
 * @throws RestError where it is not percent-encoded UTF-8.
 */
function partOf(c: Asked, name: 'namespace' | 'name'): string {
  const pattern = routePath(c).split('/')
  const [path = ''] = c.req.url.split(/[?#]/, 1)
  // What the catalog is mounted below may be longer than the pattern says.
  const part = path.split('/').at(pattern.lastIndexOf(`:${name}`) - pattern.length) ?? ''
  const isPlain = OTHER_CLIENT.test(c.req.header('x-client-version') ?? '')
  try {
    return decodeURIComponent(isPlain ? part : part.replaceAll('+', '%20'))
  } catch {
    throw badRequest(`${part} in the address is not percent-encoded UTF-8`)
  }
}

const ON_BRANCH = /^([^@]+)@(\w[\w-]*)(\..*)?$/

/** The branch that the first level of a namespace says, and the namespace without it. */
function branchIn(text: string): { text: string; branch?: string } {
  const [first = '', ...rest] = text.split(LEVEL)
  const [, plain, branch, more = ''] = ON_BRANCH.exec(first) ?? []
  if (plain !== undefined && branch !== undefined)
    return { text: [plain + more, ...rest].join(LEVEL), branch }
  // It would be taken for a branch.
  if (first.includes('@')) throw noSuchNamespace(shownKey(text))
  return { text }
}
