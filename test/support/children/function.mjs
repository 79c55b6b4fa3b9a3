// Plays Lambda for one function: node function.mjs FOLDER; invocations arrive as messages.
import { Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'

/** What Lambda's runtime of Node has for answers that are streamed: what is said of them first. */
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { streams: true }),
  HttpResponseStream: {
    from: (stream, metadata) => {
      stream.write(`${JSON.stringify(metadata)}${'\0'.repeat(8)}`)
      return stream
    },
  },
}

/** The answer of a function that streams it, put together. */
async function streamed(handler, event, context) {
  const parts = []
  const write = (part, _, done) => {
    parts.push(Buffer.from(part))
    done()
  }
  await handler(event, new Writable({ write }), context)
  const [first, body] = Buffer.concat(parts).toString().split('\0'.repeat(8))
  return { ...JSON.parse(first), body }
}

const begun = performance.now()
const functions = await import(pathToFileURL(`${process.argv[2]}/index.mjs`).href)
process.on('message', async ({ id, handler, event, milliseconds }) => {
  const end = performance.now() + milliseconds
  const context = { getRemainingTimeInMillis: () => end - performance.now() }
  const from = performance.now()
  const called = functions[handler].streams
    ? streamed(functions[handler], event, context)
    : functions[handler](event, context)
  const found = await called.then(
    (answer) => ({ answer }),
    (error) => ({ error: error.stack ?? String(error) }),
  )
  const seconds = (performance.now() - from) / 1000
  process.send({ id, ...found, seconds, since: (performance.now() - begun) / 1000 })
})
process.send('ready')
