import { randomBytes } from 'node:crypto'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { Bronze } from '../../define/model.js'
import type { Engine } from '../../engine/engine.js'
import type { CommitLog } from '../../log/log.js'
import { quarantinedOf } from '../../log/quarantined.js'
import { abortController } from '../../signals.js'
import { hash, type RunContext, type TriedObject } from '../../step/context.js'
import { InThisThread } from '../../step/javascript.js'
import { Relations } from '../../step/relations.js'
import type { Storage } from '../../storage/storage.js'
import { nothingYet } from '../batch-commit.js'
import { readAgain } from '../intake.js'

/**
 * Reads an object in quarantine as a run would, and keeps nothing of it: what becomes of the
 * process tells the rest.
 */
export async function tryObject(
  lake: Lake,
  { storage, log }: { storage: Storage; log: CommitLog },
  engine: Engine,
  { dataset, id, branch }: TriedObject,
): Promise<void> {
  const state = await log.head()
  const object = quarantinedOf(state, dataset).find((one) => one.id === id)
  const bronze = lake.datasets.find((one) => fullName(one) === dataset) as Bronze | undefined
  if (!object || !bronze) return
  const started = new Date()
  const context: RunContext = {
    lake,
    storage,
    log,
    branch,
    engine,
    run: `trial-${hash(id).slice(0, 8)}`,
    started,
    author: 'trial',
    signal: abortController().signal,
    acceptShrink: new Set(),
    reread: new Set(),
    allowBreaking: false,
    sample: undefined,
    valuesFrom: 1 << 20,
    rewriteUpTo: 16 << 20,
    partBytes: 128 << 20,
    quarantineAfter: lake.quarantineAfter,
    relations: new Relations(storage, state),
    javascript: new InThisThread(),
    progress: () => {},
  }
  const folder = `bronze/${bronze.name}/probe/${id}-${randomBytes(3).toString('hex')}`
  try {
    const batch = { number: 0, batch: object.batch, folder }
    await readAgain(bronze)(context, object, batch, nothingYet(state))
  } finally {
    for (const { path } of await storage.list(`${folder}/`)) await storage.remove(path)
  }
}
