import { objectsOf, removeObject } from '../../source/files/bucket.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { type Inbox, isMeant, type Look } from './look.js'

/**
 * A prefix of a bucket. An object is there as a whole or not at all, so that none has to be waited
 * for. What was taken in is removed by its version, where the bucket keeps versions; where it does
 * not, a newer object of the name could be lost that way, and so it is left.
 */
export class BucketInbox implements Inbox {
  constructor(private readonly url: string) {}

  async look(): Promise<Look> {
    const found = await objectsOf(this.url)
    const meant = found.filter(({ path }) => path.split('/').every(isMeant))
    return { ready: meant, unfinished: 0, notes: [] }
  }

  async claim(file: SourceFile): Promise<SourceFile> {
    return file
  }

  async remove(file: SourceFile): Promise<void> {
    await removeObject(this.url, file)
  }
}
