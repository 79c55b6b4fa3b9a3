import { open, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { rangedObjects } from '../../source/files/bucket.js'
import { isWorkbook } from '../../source/preview/preview.js'
import { makeFolder } from '../../storage/disk.js'
import { scratchFolder } from '../../storage/scratch.js'
import { crawlFiles } from './folders.js'
import type { Found } from './found.js'
import { isHidden, MOST } from './walk.js'

/** Bytes of an object that are looked at. */
const SAMPLE = 2 ** 20

/**
 * Finds tables in a bucket as in a folder; of each object that is looked at only the start is read,
 * of Parquet the end.
 *
 * @throws MoraineError of kind `source` when there is nothing that can be read.
 */
export async function crawlBucket(
  url: string,
  session: Session,
  taken: ReadonlySet<string> = new Set(),
): Promise<Found> {
  const { bucket, prefix, settings, objects } = await rangedObjects(url)
  if (objects.length > MOST)
    throw new MoraineError('source', `There are more than ${MOST} objects`, {
      hint: 'Crawl the prefixes one by one.',
    })
  const base = await scratchFolder('crawl')
  try {
    // Keys become paths here, so none may lead elsewhere.
    const safe = objects.filter(({ key }) => key.split('/').every((part) => part !== '..'))
    const known = new Map(safe.map((object) => [join(base, object.key), object]))
    const visible = [...known.keys()].filter((file) => !isHidden(relative(base, file)))
    const fetch = async (file: string) => {
      const object = known.get(file)
      return { isCut: object ? await placeSample(object, file) : false }
    }
    const spell = (inside: string) => `s3://${bucket}/${inside}${settings}`
    const root = join(base, prefix.endsWith('/') ? prefix : dirname(`${prefix}/x`))
    const name = `s3://${bucket}/${prefix}`
    const about = { name, root, base, files: visible.sort(), fetch, spell, taken }
    return await crawlFiles(about, session)
  } finally {
    await rm(base, { recursive: true, force: true })
  }
}

/** Bytes of a workbook that is looked at: it has to be here as a whole. */
const WORKBOOK = 64 * 2 ** 20

/**
 * Of a text the start, of Parquet its footer at its place; returns whether that is less than all of
 * it.
 */
async function placeSample(
  { size, range }: { size: number; range(from: number, length: number): Promise<Buffer> },
  file: string,
): Promise<boolean> {
  await makeFolder(dirname(file))
  if (isWorkbook(file) && size <= WORKBOOK) {
    await writeFile(file, size === 0 ? '' : await range(0, size))
    return false
  }
  const parquet = /\.parquet$/i.test(file)
  if (!parquet || size <= SAMPLE) {
    await writeFile(file, size === 0 ? '' : await range(0, Math.min(size, SAMPLE)))
    return size > SAMPLE
  }
  const last = await range(size - 8, 8)
  const footer = Math.min(size, last.readUInt32LE(0) + 8)
  const opened = await open(file, 'w')
  try {
    await opened.truncate(size)
    await opened.write(await range(0, 4), 0, 4, 0)
    await opened.write(await range(size - footer, footer), 0, footer, size - footer)
  } finally {
    await opened.close()
  }
  return true
}
