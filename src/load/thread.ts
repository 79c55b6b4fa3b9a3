/**
 * A thread that runs the JavaScript of a lake's schemas. It loads the definition for itself:
 * functions can't be sent to other threads.
 */
import { Console } from 'node:console'
import { parentPort, workerData } from 'node:worker_threads'
import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { MoraineError, messageOf } from '../errors.js'
import { InThisThread } from '../step/javascript.js'
import type { Answers, Asked } from './asking.js'
import { loadLake } from './load.js'
import { type ThreadData, textOf } from './threads.js'
import { loadCopy } from './workers/definition-file.js'

// As in the command line's own thread: standard output is for what is asked.
globalThis.console = new Console(process.stderr, process.stderr)
// What a check began and did not wait for decides nothing: whenever it fails, no row must be blamed
// for it.
const passedOver = new Set<string>()
for (const event of ['unhandledRejection', 'uncaughtException'])
  process.on(event, (error: unknown) => {
    const text = messageOf(error)
    if (!passedOver.has(text) && passedOver.size < 10)
      console.error(
        `a check of a schema returned before all of its work was done; this failed later: ${text}`,
      )
    passedOver.add(text)
  })
const javascript = new InThisThread()
const { file, isLaid } = workerData as ThreadData
const lake = isLaid ? loadCopy(file) : loadLake(file)
// Whoever asks is told; there may be no question at all.
lake.catch(() => {})

async function answer({
  dataset,
  definition,
  questions,
  texts,
  progress,
}: Asked): Promise<Answers> {
  try {
    const { datasets } = await lake
    const found = datasets.find((d) => fullName(d) === dataset) as Silver | undefined
    if (!found || textOf(found) !== definition)
      throw new MoraineError('conflict', `${dataset} was changed while it was being built`, {
        hint: 'Run again.',
      })
    return { answers: await javascript.answer(found, questions, texts, undefined, progress) }
  } catch (error) {
    const hint = error instanceof MoraineError ? error.hint : undefined
    return { failed: { message: messageOf(error), hint } }
  }
}

parentPort?.on('message', async (asked: Asked) => parentPort?.postMessage(await answer(asked)))
