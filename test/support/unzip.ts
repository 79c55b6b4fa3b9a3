import { buffer } from 'node:stream/consumers'
import { fromBuffer } from 'yauzl'

export interface ZippedFile {
  path: string
  modified: Date
  bytes: Buffer
}

/** What another program finds in a zip, in the order of its directory. */
export function filesIn(zip: Buffer): Promise<ZippedFile[]> {
  return new Promise((resolve, reject) => {
    fromBuffer(zip, { lazyEntries: true }, (error, found) => {
      if (error) return reject(error)
      const files: ZippedFile[] = []
      found.on('error', reject).on('end', () => resolve(files))
      found.on('entry', (entry) => {
        found.openReadStream(entry, async (failed, stream) => {
          if (failed) return reject(failed)
          const bytes = await buffer(stream)
          files.push({ path: entry.fileName, modified: entry.getLastModDate(), bytes })
          found.readEntry()
        })
      })
      found.readEntry()
    })
  })
}

export async function unzipped(zip: Buffer): Promise<Map<string, Buffer>> {
  return new Map((await filesIn(zip)).map(({ path, bytes }) => [path, bytes]))
}
