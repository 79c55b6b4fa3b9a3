import { posix } from 'node:path'
import { parseJson, toJsonText } from '../../iceberg/json.js'
import { isObject, type Json } from '../../iceberg/spec/updates/json.js'
import { readChecked } from '../../storage/checked.js'
import { sha256 } from '../../storage/checksum.js'
import type { Storage } from '../../storage/storage.js'
import { badRequest, illegal, noSuchFile } from './errors.js'

/** Characters of metadata that are kept for who asks again. */
const KEPT = 32 * 2 ** 20
/** Bytes of a metadata file: those of some 50,000 snapshots. */
const LARGEST = 64 * 2 ** 20

/** Where a file of metadata lies, and the SHA-256 that it must have. */
export interface MetadataPointer {
  metadata: string
  sha256?: string
}

const MiBOf = (bytes: number) => Math.ceil(bytes / 2 ** 20)

/** Files of metadata, as texts: they are handed on to the digit, and are the same for ever. */
export class MetadataFiles {
  private readonly texts = new Map<string, string>()
  private kept = 0

  constructor(private readonly storage: Storage) {}

  async asText({ metadata: path, sha256: sum }: MetadataPointer): Promise<string> {
    const known = this.texts.get(path)
    if (!(await this.storage.stat(path))) throw noSuchFile(this.storage.locate(path))
    if (known !== undefined) {
      // Others may have had it removed meanwhile.
      if (this.texts.delete(path)) this.texts.set(path, known)
      return known
    }
    const text = new TextDecoder().decode(await readChecked(this.storage, path, sum))
    this.keep(path, text)
    return text
  }

  async json(pointer: MetadataPointer): Promise<Json> {
    return parseJson(await this.asText(pointer)) as Json
  }

  /** Reads a file that a client names, and that the log does not know yet. */
  async unknown(path: string): Promise<{ json: Json; sha256: string }> {
    await this.refuseStrange(path)
    const there = await this.storage.stat(path)
    if (!there) throw badRequest(`There is no metadata file ${path}`)
    if (there.size > LARGEST)
      throw illegal(
        `${path} has ${MiBOf(there.size)} MiB, more than the limit of ${MiBOf(LARGEST)} MiB for a metadata file. Expire old snapshots of the table in the catalog that it is in, and register its newest metadata file`,
      )
    const bytes = await this.storage.read(path)
    let json: unknown
    try {
      json = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch {
      throw badRequest(`${path} is not a metadata file: it is not JSON`)
    }
    if (!isObject(json)) throw badRequest(`${path} is not a metadata file`)
    return { json, sha256: sha256(bytes) }
  }

  /**
   * Writes metadata under a name that was never used before.
   *
   * @param before the file that they follow.
   * @throws RestError for more than a metadata file may have, unless they have less than before.
   */
  async write(
    folder: string,
    metadata: object,
    uuid: string,
    before?: string,
  ): Promise<Required<MetadataPointer>> {
    const last = /\/v?(\d+)[^/]*\.metadata\.json$/.exec(before ?? '')?.[1]
    const version = String(last === undefined ? 0 : Number(last) + 1).padStart(5, '0')
    const path = `${folder}/${version}-${uuid}.metadata.json`
    await this.refuseStrange(path)
    const text = toJsonText(metadata)
    const bytes = new TextEncoder().encode(text)
    await this.refuseLarge(bytes.length, path, before)
    await this.storage.write(path, bytes)
    this.keep(path, text)
    return { metadata: path, sha256: sha256(bytes) }
  }

  /** Each change writes all of the metadata anew, and each load answers them. */
  private async refuseLarge(size: number, path: string, before: string | undefined): Promise<void> {
    if (size <= LARGEST) return
    const last = before === undefined ? undefined : await this.storage.stat(before)
    if (last && size < last.size) return
    throw illegal(
      `The metadata in ${this.storage.locate(posix.dirname(path))} would have ${MiBOf(size)} MiB, more than the limit of ${MiBOf(LARGEST)} MiB. Nothing was changed. Expire old snapshots of the table (expire_snapshots; if it is defined in lake.ts: moraine vacuum), or remove properties`,
    )
  }

  /** Where engines write files, they may put links, too: nothing is read or written behind one. */
  private async refuseStrange(path: string): Promise<void> {
    const strange = await this.storage.strangeAmong?.([path])
    if (strange !== undefined)
      throw badRequest(`${strange} is a link or a device, which may lead out of the lake`)
  }

  private keep(path: string, text: string): void {
    // Whoever loads it at the same time has kept it already.
    if (text.length > KEPT / 4 || this.texts.has(path)) return
    this.texts.set(path, text)
    this.kept += text.length
    for (const [oldest, { length }] of this.texts) {
      if (this.kept <= KEPT) break
      this.texts.delete(oldest)
      this.kept -= length
    }
  }
}
