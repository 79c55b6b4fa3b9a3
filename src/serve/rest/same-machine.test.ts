import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LocalStorage } from '../../storage/local.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'
import type { CatalogOptions } from './http/catalog-options.js'

const token = 'a token'
const headers = { authorization: `Bearer ${token}` }

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return new LocalStorage(path)
}

/** Asks as a client whose connection comes from an address. */
async function asked(from: string | undefined, options: CatalogOptions = {}, more: object = {}) {
  const app = catalog(await folder(), { token, ...options })
  const env = from === undefined ? {} : { incoming: { socket: { remoteAddress: from } } }
  const init = { headers: { ...headers, ...more } }
  return app.request('/v1/namespaces', init, env)
}

describe('a lake in a folder', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])(
    'is shown to a client of this machine: %s',
    async (address) => expect((await asked(address)).status).toBe(200),
  )

  it.each(['10.0.0.7', '::ffff:10.0.0.7', 'fe80::1', '', undefined])(
    'is not shown to another, whose files it could not open: %s',
    async (address) => {
      const answer = await asked(address)
      expect(answer.status).toBe(403)
      const text = await answer.text()
      expect(text).toContain('This lake is in a folder of the machine that serves it')
      expect(text).not.toContain(tmpdir())
    },
  )

  it.each(['X-Forwarded-For', 'Forwarded', 'Via', 'X-Real-IP', 'X-Forwarded-Host'])(
    'is not shown to who comes through a proxy, which says so: %s',
    async (name) =>
      expect((await asked('127.0.0.1', {}, { [name]: '127.0.0.1' })).status).toBe(403),
  )

  it('does not show anything before the token is shown', async () => {
    const answer = await asked('10.0.0.7', {}, { authorization: 'Bearer wrong' })
    expect(answer.status).toBe(401)
  })

  it('is shown to whom the program says, in any server that Hono runs in', async () => {
    expect((await asked(undefined, { isLocal: () => true })).status).toBe(200)
    expect((await asked('127.0.0.1', { isLocal: () => false })).status).toBe(403)
  })

  it('knows who is there behind a real server', async () => {
    const { fetch: answer } = catalog(await folder(), { token })
    const url = await new Promise<string>((listening) => {
      const server = serve({ fetch: answer, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        listening(`http://127.0.0.1:${port}/v1/config`),
      )
      onTestFinished(() => void server.close())
    })
    expect((await fetch(url, { headers })).status).toBe(200)
    const passed = { ...headers, 'x-forwarded-for': '203.0.113.7' }
    expect((await fetch(url, { headers: passed })).status).toBe(403)
  })
})

it('a lake elsewhere is shown to clients of any machine', async () => {
  const app = catalog(new MemoryStorage(), { token })
  const env = { incoming: { socket: { remoteAddress: '10.0.0.7' } } }
  expect((await app.request('/v1/namespaces', { headers }, env)).status).toBe(200)
})
