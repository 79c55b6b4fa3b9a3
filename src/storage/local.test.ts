import fs from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalStorage } from './local.js'

const bytes = new TextEncoder().encode('1')
/** The calls by which it looks at a folder and writes to it. */
const calls = ['mkdir', 'open', 'link', 'stat', 'readFile', 'readdir'] as const

describe('a lake whose disk goes away', () => {
  let above: string
  let folder: string
  const real = { ...fs.promises }
  beforeEach(async () => {
    above = await mkdtemp(join(tmpdir(), 'moraine-test-'))
    folder = join(above, 'lake')
  })
  afterEach(async () => {
    Object.assign(fs.promises, real)
    syncBuiltinESMExports()
    await rm(above, { recursive: true, force: true })
  })

  /** The disk goes at the nth call from here on; an empty folder is left in its place. */
  const goesAt = (nth: number) => {
    let n = 0
    for (const call of calls)
      Object.assign(fs.promises, {
        [call]: async (...args: unknown[]) => {
          if (++n === nth) {
            await real.rename(folder, join(above, 'elsewhere'))
            await real.mkdir(folder)
          }
          return (real[call] as (...args: unknown[]) => unknown)(...args)
        },
      })
    syncBuiltinESMExports()
    return () => {
      Object.assign(fs.promises, real)
      syncBuiltinESMExports()
      return n >= nth
    }
  }

  it('has no other begun in its place, at whatever moment it goes', async () => {
    const begun = new LocalStorage(folder)
    await begun.write('_moraine/log/1.json', bytes)
    for (const one of [begun, new LocalStorage(folder)])
      for (let nth = 1; ; nth++) {
        await one.readIfPresent('_moraine/log/1.json')
        const went = goesAt(nth)
        for (const path of [`_moraine/log/x${nth}.json`, `_moraine/new${nth}/a/b.json`])
          await one.createIfAbsent(path, bytes).catch(() => {})
        await one.prepare(`silver/orders/data/${nth}/x.parquet`).catch(() => {})
        const gone = went()
        if (!gone) break
        await expect(one.readIfPresent('_moraine/log/1.json')).rejects.toThrow('no longer exists')
        await expect(one.stat('_moraine/log/1.json')).rejects.toThrow('no longer exists')
        await expect(one.entries('_moraine/log/')).rejects.toThrow('no longer exists')
        await expect(one.list('silver/')).rejects.toThrow('no longer exists')
        await expect(one.write(`_moraine/log/y.json`, bytes)).rejects.toThrow('no longer exists')
        expect(await readdir(folder)).not.toContain('_moraine')
        await rm(folder, { recursive: true })
        await rename(join(above, 'elsewhere'), folder)
        expect(await one.read('_moraine/log/1.json')).toEqual(Buffer.from(bytes))
      }
  })

  it('has lost nothing: whatever is asked of it fails by its being away, and may pass', async () => {
    const one = new LocalStorage(folder)
    const path = 'silver/s/metadata/snap-1.avro'
    await one.write('_moraine/log/1.json', bytes)
    await one.write(path, bytes)
    await rename(folder, join(above, 'elsewhere'))
    const away = { message: `The lake in ${folder} no longer exists`, retryable: true }
    for (const isEmpty of [false, true]) {
      if (isEmpty) await mkdir(folder)
      for (const call of [
        () => one.read(path),
        () => one.readIfPresent(path),
        () => one.stat(path),
        () => one.digest(path),
        () => one.list('silver/'),
        () => one.entries('silver/s/metadata/'),
        () => one.folders('silver/'),
        () => one.createIfAbsent(path, bytes),
        () => one.write(path, bytes),
        () => one.remove(path),
        () => one.prepare(path),
        () => one.seal([path]),
        () => one.restore(path, bytes),
        () => one.protect([path]),
      ])
        await expect(call(), call.toString()).rejects.toMatchObject(away)
    }
    await rm(folder, { recursive: true })
    await rename(join(above, 'elsewhere'), folder)
    await one.remove(path)
    await one.remove(path)
    await expect(one.read(path)).rejects.toMatchObject({
      message: `${path} is missing`,
      hint: expect.stringContaining('moraine run silver.s --full'),
    })
  })

  it('may be begun in a folder that is there, or is not', async () => {
    await mkdir(folder)
    await new LocalStorage(folder).write('_moraine/log/1.json', bytes)
    await new LocalStorage(join(folder, 'a/b')).write('_moraine/log/1.json', bytes)
    expect(await readdir(join(folder, 'a/b'))).toEqual(['_moraine'])
  })
})
