import type { Gold, Silver } from '../../define/model.js'
import { MoraineError } from '../../errors.js'
import { Pool } from '../../process/pool.js'
import type { StepResources } from '../../step/context.js'
import { encodeLeads, encodeTask, type LaidLeads, type SentStep } from '../../step/task/codec.js'
import { packStep } from '../../step/task/pack.js'
import type { StepTask } from '../../step/task/task.js'
import { sha256 } from '../../storage/checksum.js'
import { createOnce } from '../../storage/retry.js'
import type { Storage } from '../../storage/storage.js'

/**
 * Characters from which on manifests that tasks lead to lie in storage: otherwise whoever schedules
 * tasks would hold them once for each.
 */
const LARGE = 2 ** 20
/** Steps whose manifests are made into texts at the same time. */
const AT_ONCE = 2

/** What the parts of one step have in common. */
interface OfStep {
  dataset: string
  view: StepTask['view']
  packed: Promise<{ view: StepTask['view']; leads: string | LaidLeads }>
}

/**
 * Writes tasks as texts. What they lead to, which is the same for all parts of a step, is read and
 * written once.
 */
export class TaskTexts {
  private readonly steps = new Map<StepTask['decision'], OfStep>()
  private readonly packing = new Pool(AT_ONCE)

  /** @param large characters of manifests from which on they are laid into storage. */
  constructor(private readonly large = LARGE) {}

  /** The text of a task, as `decodeStep` reads it. */
  async of(
    resources: Pick<StepResources, 'storage' | 'relations' | 'signal'>,
    dataset: Silver | Gold,
    task: StepTask,
  ): Promise<string> {
    const known = this.steps.get(task.decision)
    const isKnown = known?.dataset === task.dataset && known.view === task.view
    const { packed } = isKnown ? known : this.begin(resources, dataset, task)
    const { view, leads } = await packed
    return encodeTask({ ...task, view }, leads)
  }

  /** No task of a step follows: what was laid for it goes. */
  async forget({ decision }: StepTask, storage: Storage): Promise<void> {
    const known = this.steps.get(decision)
    this.steps.delete(decision)
    const { leads = '' } = (await known?.packed.catch(() => undefined)) ?? {}
    // What stays, a vacuum finds.
    if (typeof leads !== 'string') await storage.remove(leads.path).catch(() => {})
  }

  private begin(
    { storage, relations, signal }: Pick<StepResources, 'storage' | 'relations' | 'signal'>,
    dataset: Silver | Gold,
    task: StepTask,
  ): OfStep {
    const pack = async () => {
      const sent = await packStep(relations, dataset, task)
      return { view: sent.task.view, leads: await this.lay(storage, sent) }
    }
    const packed = this.packing.run(pack, { signal })
    const step = { dataset: task.dataset, view: task.view, packed }
    this.steps.set(task.decision, step)
    // Whoever tries again is to read them again.
    packed.catch(() => this.steps.delete(task.decision))
    return step
  }

  private async lay(
    storage: Storage,
    { task, batches, tables }: SentStep,
  ): Promise<string | LaidLeads> {
    const text = encodeLeads({ batches, tables })
    if (text.length < this.large) return text
    const sum = sha256(text)
    const path = `scratch/${task.settings.run}-${sum}.json`
    await createOnce(storage, path, Buffer.from(text))
    return { path, sha256: sum }
  }
}

/**
 * What a run has laid into storage for its tasks.
 *
 * @throws MoraineError of kind `storage` where it is not there, `corrupt` where it is not the same.
 */
export async function readLeads(
  storage: Storage,
  { path, sha256: sum }: LaidLeads,
): Promise<string> {
  const bytes = await storage.readIfPresent(path)
  if (!bytes)
    throw new MoraineError(
      'storage',
      `The manifests for the tasks of this run, ${path}, are not in the lake`,
      {
        path,
        retryable: true,
        hint: 'The run may have ended, or workers see another storage than the run.',
      },
    )
  if (sha256(bytes) !== sum)
    throw new MoraineError(
      'corrupt',
      `${path} does not have the manifests that the run has written for its tasks`,
      {
        path,
        hint: 'Nothing was built of it. Run again. If this is reported again, something else changes files of the lake.',
      },
    )
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
