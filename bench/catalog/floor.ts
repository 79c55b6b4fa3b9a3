import { randomUUID } from 'node:crypto'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { LocalStorage } from '../../src/storage/local.js'

/*
 * The least that a catalog has to do: a bare server that answers so many characters, whatever it is
 * asked; for a commit it makes a file of metadata durable, and an entry of a log. Prints its
 * address.
 */
const { folder, characters } = JSON.parse(process.argv[2] as string) as {
  folder: string
  characters: number
}
const storage = new LocalStorage(folder)
const body = 'x'.repeat(Math.max(0, characters - 1))
const answer = `${body}}`
const entry = new TextEncoder().encode('x'.repeat(1500))
// What clients look for in metadata.
const known = `{"table-uuid":"u","location":"l","current-snapshot-id":1,"last-sequence-number":1,`
const loaded = new TextEncoder().encode(known + answer.slice(known.length))
let number = 0
/** One entry after the other, as in a log. */
let last: Promise<unknown> = Promise.resolve()

const app = new Hono()
app.get('/*', (c) => {
  if (c.req.header('if-none-match')) return c.body(null, 304)
  return c.body(loaded, 200, { 'content-type': 'application/json', etag: 'W/"x"' })
})
app.post('/*', async (c) => {
  await c.req.text()
  await storage.write(`tables/${randomUUID()}.metadata.json`, loaded)
  const written = last.then(() => storage.write(`log/${++number}.json`, entry))
  last = written
  await written
  return c.body(loaded, 200, { 'content-type': 'application/json' })
})
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
  console.log(`http://127.0.0.1:${port}`),
)
