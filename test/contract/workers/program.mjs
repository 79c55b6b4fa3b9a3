/*
 * A worker whose tasks say what it is to do. It speaks the protocol by itself, without a line of
 * Moraine's, so that drivers are held to what is written of it.
 */
import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
const where = `pid ${process.pid}`
/** What it says of itself where that is not what the driver says. */
const lies = JSON.parse(process.argv[2] ?? '{}')

async function carryOut({ id, attempt, text }) {
  const { note, ...what } = JSON.parse(text)
  if (note) appendFileSync(note, `${process.pid} ${id} ${attempt}\n`)
  // Its first attempts end it, before or after its work.
  if (attempt <= (what.dies ?? 0)) process.kill(process.pid, 'SIGKILL')
  if (what.noise) process.stdout.write(`${what.noise}\n`)
  if (what.bytes) process.stdout.write(Buffer.from(what.bytes, 'hex'))
  if (what.log) say({ log: { text: what.log } })
  if (what.stderr) process.stderr.write(`${what.stderr}\n`)
  for (const rows of what.progress ?? []) say({ progress: { id, rows } })
  if (what.wait) await sleep(what.wait)
  if (what.exits !== undefined) process.exit(what.exits)
  const last = what.last ? { last: true } : {}
  const answer = JSON.stringify({ done: what.value ?? id })
  const reply = { reply: { id, attempt, text: answer, ...last } }
  // It is killed in the middle of its reply.
  if (attempt <= (what.cut ?? 0)) {
    const half = JSON.stringify(reply).slice(0, -20)
    await new Promise((written) => process.stdout.write(half, written))
    process.kill(process.pid, 'SIGKILL')
  }
  if (what.early) say({ reply: { id, attempt: attempt - 1, text: '"of an attempt before"' } })
  say(reply)
  // An answer that comes once more, also while the next task is at work.
  for (let i = 0; i < (what.again ?? 0); i++) say(reply)
}

let isClosing = false
for await (const line of createInterface({ input: process.stdin })) {
  const { hello, task } = JSON.parse(line)
  if (isClosing) process.exit(3)
  if (hello?.environment.some((name) => !process.env[name]))
    say({ refused: { kind: 'storage', message: 'no credentials', hint: 'Set them.' } })
  else if (hello) {
    const { moraine, duckdb, unicode, definition } = hello
    say({ ready: { moraine, duckdb, unicode, definition: definition.sha256, where, ...lies } })
  } else {
    await carryOut(task)
    isClosing = JSON.parse(task.text).last === true
  }
}
