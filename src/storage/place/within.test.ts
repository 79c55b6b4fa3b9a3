import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { LocalStorage } from '../local.js'
import { within } from './within.js'

const home = mkdtempSync(join(tmpdir(), 'moraine-within-'))
afterAll(() => rmSync(home, { recursive: true }))
mkdirSync(join(home, 'lake', 'silver'), { recursive: true })
mkdirSync(join(home, 'lakes'))
symlinkSync(join(home, 'lake'), join(home, 'link'))
const lake = new LocalStorage(join(home, 'lake'))
const bucket = { url: 's3://b/lakes/one' }

describe('a place beside a lake', () => {
  it.each([
    [lake, join(home, 'lake'), { is: 'inside', path: '' }],
    [lake, join(home, 'lake', 'bronze', 'x y'), { is: 'inside', path: 'bronze/x y' }],
    [lake, home, { is: 'around' }],
    [lake, '/', { is: 'around' }],
    [lake, join(home, 'lakes'), { is: 'outside' }],
    [lake, join(home, 'link', 'silver'), { is: 'inside', path: 'silver' }],
    [lake, join(home, 'link', 'none', 'yet'), { is: 'inside', path: 'none/yet' }],
    [lake, 's3://b/lake', { is: 'outside' }],
    [bucket, 's3://b/lakes/one/silver/?region=x', { is: 'inside', path: 'silver' }],
    [bucket, 's3://b/', { is: 'around' }],
    [bucket, 's3://b/lakes/one-more', { is: 'outside' }],
    [bucket, '/lakes/one', { is: 'outside' }],
  ])('%o, %s', (at, place, expected) => expect(within(at, place)).toEqual(expected))

  it('is found from a root that is a link, too', () => {
    const linked = new LocalStorage(join(home, 'link'))
    expect(within(linked, join(home, 'lake', 'silver'))).toEqual({ is: 'inside', path: 'silver' })
  })
})
