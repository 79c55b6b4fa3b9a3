import { createHash } from 'node:crypto'
import { normalLocation, pathOf, type Storage } from '../../storage/storage.js'
import { forbidden } from './errors.js'
import type { Identifier, Namespace } from './names.js'

/** The folder of what other engines keep in the lake. */
const EXTERNAL = 'external'

/** Where tables of other engines lie. */
export class Locations {
  private readonly allowed: readonly string[]

  /** @param allowed prefixes outside of the lake that tables may lie under, too. */
  constructor(
    private readonly storage: Storage,
    allowed: readonly string[] = [],
  ) {
    this.allowed = allowed.map((prefix) => `${normalLocation(prefix).replace(/\/+$/, '')}/`)
  }

  ofNamespace(namespace: Namespace): string {
    return this.storage.locate(`${EXTERNAL}/${namespace.map(folderName).join('/')}`)
  }

  /** A place where no other table lies or has lain. */
  fresh(base: string, { name }: Identifier, id: string): string {
    return `${base.replace(/\/+$/, '')}/${folderName(name)}-${id.replaceAll('-', '').slice(0, 12)}`
  }

  /**
   * A location that a client names, if tables may lie there.
   *
   * @throws RestError otherwise.
   */
  checked(location: string): string {
    const normal = normalLocation(location)
    const parts = normal.replace(/^[a-z0-9]+:\/\//i, '').split('/')
    const isClean = !parts.some((part) => /^(\.|%2e){1,2}$/i.test(part)) && !/[\0\\?#]/.test(normal)
    const own = `${this.storage.url}/${EXTERNAL}/`
    if (isClean && [own, ...this.allowed].some((prefix) => `${normal}/`.startsWith(prefix)))
      return location
    throw forbidden(
      `The location ${location} is not below ${own}: leave the location out, or start the server with --allow-location`,
    )
  }

  /** The path of a location in the lake; `undefined` for one that lies elsewhere. */
  pathOf(location: string): string | undefined {
    return pathOf(this.storage, normalLocation(location))
  }

  /** Where the metadata of a table go: into the lake, wherever the table lies. */
  metadataFolder(location: string, uuid: string): string {
    const own = this.pathOf(location)
    return own?.startsWith(`${EXTERNAL}/`) ? own : `${EXTERNAL}/_elsewhere/${uuid}`
  }
}

/**
 * A name as one part of a path on every storage; what can't stand there is told apart by a hash.
 */
function folderName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)
  if (plain === name) return name
  return `${plain}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
}
