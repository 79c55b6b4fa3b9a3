import type { LakeState } from '../log/commit.js'
import type { BindState } from '../run/bind/bind.js'
import { bindNew } from '../run/bind/bind-new.js'
import type { Bind } from '../run/prepare.js'
import type { Externals } from '../step/external/externals.js'
import { type Storage, stagingOf } from '../storage/storage.js'

/**
 * Binds SQL on a state in an engine of its own, which is started where there is any: what is built
 * has been bound before.
 */
export function bindsOn(
  storage: Storage,
  state: LakeState,
  externals: Externals,
  portable?: BindState['portable'],
): Bind {
  return async (wanted, arriving) => {
    const { openEngine } = await import('../engine/open.js')
    const { Batches } = await import('../step/batches.js')
    const engine = await openEngine({ threads: 1, staging: stagingOf(storage) })
    try {
      // Definitions are bound against no rows: there is nothing that they could have to open.
      await engine.confine([])
      const session = await engine.open()
      const on = { view: externals.on(state), batches: new Batches(storage), externals, portable }
      const left = await bindNew(session, wanted, on, arriving)
      session.close()
      return left
    } finally {
      await engine.close()
    }
  }
}
