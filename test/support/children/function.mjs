// Plays Lambda for one function: node function.mjs FOLDER; invocations arrive as messages.
import { pathToFileURL } from 'node:url'

const begun = performance.now()
const functions = await import(pathToFileURL(`${process.argv[2]}/index.mjs`).href)
process.on('message', async ({ id, handler, event, milliseconds }) => {
  const end = performance.now() + milliseconds
  const context = { getRemainingTimeInMillis: () => end - performance.now() }
  const from = performance.now()
  const found = await functions[handler](event, context).then(
    (answer) => ({ answer }),
    (error) => ({ error: error.stack ?? String(error) }),
  )
  const seconds = (performance.now() - from) / 1000
  process.send({ id, ...found, seconds, since: (performance.now() - begun) / 1000 })
})
process.send('ready')
