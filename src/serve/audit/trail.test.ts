import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { AuditedCall, AuditRecord } from '../../query/audit/call.js'
import { auditTrail } from '../../query/audit/read.js'
import { OwnSecrets } from '../../secrets.js'
import { MemoryStorage } from '../../storage/memory.js'
import { AuditTrail } from './trail.js'

const call = (name: string, time = '2026-01-31T12:00:00.000Z'): AuditedCall => ({
  time,
  principal: 'ml',
  route: 'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  names: [name],
  status: 200,
  milliseconds: 1,
})

async function all(storage: MemoryStorage, since?: Date): Promise<AuditRecord[]> {
  const found: AuditRecord[] = []
  for await (const record of auditTrail(storage, since)) found.push(record)
  return found
}
const namesIn = (records: readonly AuditRecord[]) =>
  records.flatMap((record) => ('names' in record ? record.names : [])).sort()

/** Clocks and storage of a server that begins at some time. */
function server(storage: MemoryStorage, at = '2026-01-31T12:00:00Z') {
  let time = Date.parse(at)
  const errors: string[] = []
  const trail = new AuditTrail(storage, {
    now: () => new Date(time),
    onError: (error) => errors.push((error as Error).message),
  })
  return { trail, errors, later: (minutes: number) => (time += minutes * 60_000) }
}

describe('the audit trail', () => {
  it('has each call once, of servers beside each other, in few objects', async () => {
    const storage = new MemoryStorage()
    const [a, b] = [server(storage), server(storage)]
    for (let i = 0; i < 20; i++) {
      a.trail.add(call(`a${i}`))
      b.trail.add(call(`b${i}`))
      await Promise.all([a.trail.flush(), b.trail.flush()])
    }
    expect(namesIn(await all(storage))).toHaveLength(40)
    expect(new Set(namesIn(await all(storage))).size).toBe(40)
    expect(storage.objects.size).toBe(2)
  })

  it('begins another object each hour, and where one has become large', async () => {
    const storage = new MemoryStorage()
    const { trail, later } = server(storage)
    for (let i = 0; i < 3; i++) {
      trail.add(call(`hour ${i}`, new Date(Date.UTC(2026, 0, 31, 12 + i)).toISOString()))
      await trail.flush()
      later(61)
    }
    expect(storage.objects.size).toBe(3)
    for (let i = 0; i < 3000; i++) trail.add(call(`many ${i}`))
    await trail.flush()
    trail.add(call('more'))
    await trail.flush()
    expect(storage.objects.size).toBe(5)
    expect(await all(storage)).toHaveLength(3004)
    const recent = await all(storage, new Date('2026-01-31T13:30:00Z'))
    expect(namesIn(recent)).toEqual(['hour 2'])
  })

  it('keeps what storage does not take, says so once, and counts what is lost', async () => {
    const storage = new MemoryStorage()
    const { trail, errors } = server(storage)
    const write = storage.write.bind(storage)
    storage.write = () => Promise.reject(new Error('away'))
    trail.add(call('kept'))
    await trail.flush()
    await trail.flush()
    expect(errors).toEqual(['away'])
    const large = 'x'.repeat(150)
    for (let i = 0; i < 20_000; i++) trail.add(call(large))
    storage.write = write
    await trail.flush()
    const found = await all(storage)
    const [lost] = found.flatMap((record) => ('lost' in record ? [record.lost] : []))
    expect(lost).toBeGreaterThan(0)
    expect(found.length - 1 + (lost as number)).toBe(20_001)
    expect(namesIn(found)).toContain('kept')
    expect(errors[1]).toBe(`${lost} calls of the catalog are not audited`)
  })

  it('has no call twice where nothing is known of what became of an object', async () => {
    const storage = new MemoryStorage()
    const { trail } = server(storage)
    const write = storage.write.bind(storage)
    storage.write = async (path, bytes) => {
      await write(path, bytes)
      storage.write = write
      throw new Error('the answer is lost')
    }
    trail.add(call('a'))
    await trail.flush()
    trail.add(call('b'))
    await trail.flush()
    expect(namesIn(await all(storage))).toEqual(['a', 'b'])
  })

  it('is no older than a month, and no larger than it may be', async () => {
    const storage = new MemoryStorage()
    const old = server(storage, new Date(Date.now() - 40 * 86_400_000).toISOString())
    old.trail.add(call('old'))
    await old.trail.flush()
    const [path] = [...storage.objects.keys()]
    const list = storage.list.bind(storage)
    storage.list = async (prefix) =>
      (await list(prefix)).map((one) => (one.path === path ? { ...one, modified: 0 } : one))
    const { trail } = server(storage, new Date(Date.now() - 60_000).toISOString())
    trail.add(call('new'))
    await trail.flush()
    expect(namesIn(await all(storage))).toEqual(['new'])
    const next = server(storage, new Date().toISOString())
    storage.list = async (prefix) =>
      (await list(prefix)).map((one) => ({ ...one, size: 200 * 2 ** 20 }))
    next.trail.add(call('newest'))
    await next.trail.flush()
    expect(namesIn(await all(storage))).toEqual(['newest'])
  })

  it('holds no secret of this process, nor names without end', async () => {
    const storage = new MemoryStorage()
    new OwnSecrets().hide('a-secret-of-this-process')
    const { trail } = server(storage)
    trail.add({ ...call('a-secret-of-this-process'), client: 'x a-secret-of-this-process' })
    trail.add(call('y'.repeat(10_000)))
    await trail.flush()
    const text = JSON.stringify(await all(storage))
    expect(text).not.toContain('a-secret-of-this-process')
    expect(text.length).toBeLessThan(2000)
  })

  it('has one line for the many requests of a table’s files that are signed', async () => {
    const storage = new MemoryStorage()
    const { trail } = server(storage)
    const route = 'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign'
    for (let i = 0; i < 500; i++) trail.add({ ...call(i % 2 === 0 ? 'a' : 'b'), route })
    trail.add({ ...call('a'), route, status: 403, error: 'ForbiddenException' })
    await trail.flush()
    trail.add({ ...call('a'), route })
    await trail.flush()
    const found = (await all(storage)) as AuditedCall[]
    expect(
      found.map(({ names, status, calls }) => `${names[0]} ${status} ${calls}`).sort(),
    ).toEqual(['a 200 250', 'a 200 undefined', 'a 403 undefined', 'b 200 250'])
    expect(found.find(({ calls }) => calls)?.milliseconds).toBe(250)
  })

  it('has what changed something or was refused within a second, and all else within ten', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const storage = new MemoryStorage()
    const trail = new AuditTrail(storage)
    trail.add(call('read'))
    await vi.advanceTimersByTimeAsync(5000)
    expect(storage.objects.size).toBe(0)
    trail.add({ ...call('changed'), commit: 7 })
    await vi.advanceTimersByTimeAsync(1000)
    expect(namesIn(await all(storage))).toEqual(['changed', 'read'])
    trail.add({ ...call('refused'), status: 403 })
    trail.add(call('read later'))
    await vi.advanceTimersByTimeAsync(1000)
    expect(await all(storage)).toHaveLength(4)
    trail.add(call('last'))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await all(storage)).toHaveLength(5)
  })

  it('is read past lines that are damaged', async () => {
    const storage = new MemoryStorage()
    const { trail } = server(storage)
    trail.add(call('a'))
    trail.add(call('b'))
    await trail.flush()
    const [[path, bytes] = ['', new Uint8Array()]] = storage.objects
    bytes[3] = 0
    storage.objects.set(path, bytes)
    expect(namesIn(await all(storage))).toEqual(['b'])
  })
})
