import type { Gold, Silver } from '../../define/model.js'
import { MoraineError } from '../../errors.js'
import { Pool } from '../../process/pool.js'
import type { StepResources } from '../../step/context.js'
import { encodeLaid, encodeLeads, encodeTask, type Laid } from '../../step/task/codec.js'
import { packStep } from '../../step/task/pack.js'
import type { StepTask } from '../../step/task/task.js'
import { sha256 } from '../../storage/checksum.js'
import { createOnce } from '../../storage/retry.js'
import type { Storage } from '../../storage/storage.js'

/**
 * Characters from which on what tasks are told lies in storage: otherwise whoever schedules them
 * would hold the manifests of a step's inputs once for each of its parts.
 */
const LARGE = 2 ** 20
/** Steps whose manifests are made into texts at the same time. */
const AT_ONCE = 2

/** What the parts of one step have in common. */
interface OfStep {
  dataset: string
  view: StepTask['view']
  leads: Promise<string | Laid>
  /** What was laid for the step. */
  paths: Set<string>
}

type Resources = Pick<StepResources, 'storage' | 'relations' | 'signal'>

/**
 * Writes tasks as texts. What they lead to, which is the same for all parts of a step, is read and
 * written once.
 */
export class TaskTexts {
  private readonly steps = new Map<StepTask['decision'], OfStep>()
  private readonly packing = new Pool(AT_ONCE)

  /** @param large characters from which on texts are laid into storage. */
  constructor(private readonly large = LARGE) {}

  /** The text of a task, as `decodeStep` reads it. */
  async of(resources: Resources, dataset: Silver | Gold, task: StepTask): Promise<string> {
    const known = this.steps.get(task.decision)
    const isKnown = known?.dataset === task.dataset && known.view === task.view
    const step = isKnown ? known : this.begin(resources, dataset, task)
    const text = encodeTask(task, await step.leads)
    // A part may name very many files of its own.
    const sent = await this.lay(resources.storage, task, text, step)
    return typeof sent === 'string' ? sent : encodeLaid(sent)
  }

  /** No task of a step follows: what was laid for it goes. */
  async forget({ decision }: StepTask, storage: Storage): Promise<void> {
    const known = this.steps.get(decision)
    this.steps.delete(decision)
    await known?.leads.catch(() => {})
    // What stays, a vacuum finds.
    for (const path of known?.paths ?? []) await storage.remove(path).catch(() => {})
  }

  private begin(
    { storage, relations, signal }: Resources,
    dataset: Silver | Gold,
    task: StepTask,
  ): OfStep {
    const paths = new Set<string>()
    const pack = async () => {
      const { task: packed, batches, tables } = await packStep(relations, dataset, task)
      const text = encodeLeads({ view: packed.view, batches, tables })
      return this.lay(storage, task, text, { paths })
    }
    const leads = this.packing.run(pack, { signal })
    const step = { dataset: task.dataset, view: task.view, leads, paths }
    this.steps.set(task.decision, step)
    // Whoever tries again is to read them again.
    leads.catch(() => this.steps.delete(task.decision))
    return step
  }

  /** A text, or where it lies if it is large. */
  private async lay(
    storage: Storage,
    { dataset, settings }: StepTask,
    text: string,
    { paths }: Pick<OfStep, 'paths'>,
  ): Promise<string | Laid> {
    if (text.length < this.large) return text
    const sum = sha256(text)
    // Other steps may be told the same, and end sooner: each has its own.
    const path = `scratch/${settings.run}-${dataset}-${sum}.json`
    paths.add(path)
    await createOnce(storage, path, Buffer.from(text))
    return { path, sha256: sum }
  }
}

/**
 * What a run has laid into storage for its tasks.
 *
 * @throws MoraineError of kind `storage` where it is not there, `corrupt` where it is not the same.
 */
export async function readLeads(storage: Storage, { path, sha256: sum }: Laid): Promise<string> {
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
