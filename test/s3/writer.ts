import { CommitLog } from '../../src/log/log.js'
import { S3Storage } from '../../src/storage/s3/s3.js'

/** Counts up in the log of a lake, until it is killed. */
const log = new CommitLog(new S3Storage(process.argv[2] as string))
for (;;) {
  try {
    const state = await log.head()
    const before = state.watermarks['bronze.counter'] as { count: number } | undefined
    const count = (before?.count ?? 0) + 1
    await log.commit(
      state,
      { watermarks: { 'bronze.counter': { count } } },
      { author: 'writer', run: `${process.pid}`, message: `count ${count}` },
    )
  } catch {
    // Another one was first.
  }
}
