/*
 * A worker that does nothing: it answers each task with the reply that stands in a file, so that
 * what is left is what the driver does.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const reply = readFileSync(process.argv[2], 'utf8')
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  const { hello, task } = JSON.parse(line)
  if (hello) {
    const { moraine, duckdb, definition } = hello
    say({ ready: { moraine, duckdb, definition: definition.sha256, where: `pid ${process.pid}` } })
  } else say({ reply: { id: task.id, attempt: task.attempt, text: reply } })
}
