import { describe, expect, it } from 'vitest'
import { random, seed } from '../../test/support/seed.js'
import { foldExternal } from './external.js'
import { entryOf, flattened, layered, layeredWith } from './layers.js'
import { merged } from './maps.js'

describe('a record in layers', () => {
  it('is the one that copies would be, in the same order, whatever was changed', () => {
    const chance = random(seed)
    const pick = (below: number) => Math.floor(chance() * below)
    for (let round = 0; round < 30; round++) {
      const names = Array.from({ length: 1 + pick(60) }, (_, i) => `t${i}`)
      let copied: Readonly<Record<string, number>> = {}
      let layers = layered(copied)
      for (let commit = 0; commit < 60; commit++) {
        const changes: Record<string, number | null> = {}
        for (let n = pick(5); n >= 0; n--)
          changes[names[pick(names.length)] as string] = pick(3) === 0 ? null : commit
        copied = merged(copied, changes)
        layers = layeredWith(layers, changes)
        for (const name of names) expect(entryOf(layers, name)).toBe(copied[name])
        const all = flattened(layers)
        expect(JSON.stringify(all)).toBe(JSON.stringify(copied))
        // Whoever asks for all of it now and then changes nothing of what comes.
        if (pick(10) === 0) layers = layered(all)
      }
    }
  })

  it('copies what is below now and then, and no earlier one changes', () => {
    const base = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`t${i}`, 0]))
    let layers = layered<number>(base)
    const seen = [layers]
    for (let i = 0; i < 2500; i++) {
      layers = layeredWith(layers, { [`t${i}`]: i % 2 === 0 ? null : 1 })
      if (i % 500 === 0) seen.push(layers)
    }
    expect(layers.base).not.toBe(base)
    expect(Object.keys(flattened(layers))).toHaveLength(3000 - 1250)
    expect(seen.map((one) => Object.keys(flattened(one)).length)).toEqual([
      3000, 2999, 2749, 2499, 2249, 1999,
    ])
    expect(Object.values(base).every((value) => value === 0)).toBe(true)
  })
})

describe('what other engines have here', () => {
  it('is plain data to whoever reads it', () => {
    const at = (metadata: string) => ({ kind: 'table' as const, metadata, sha256: '' })
    const relations = { 'ml\u001fa': at('a1'), 'ml\u001fb': at('b1') }
    const first = foldExternal(undefined, { namespaces: { ml: { properties: {} } }, relations })
    const next = foldExternal(first.external, { relations: { 'ml\u001fa': at('a2') } })
    const whole = {
      namespaces: { ml: { properties: {} } },
      relations: { ...relations, 'ml\u001fa': at('a2') },
    }
    expect(JSON.stringify(next.external)).toBe(JSON.stringify(whole))
    expect({ ...next.external }).toEqual(whole)
    expect(structuredClone(next.external)).toEqual(whole)
    expect(first.external?.relations).toEqual(relations)
    const again = JSON.parse(JSON.stringify(next))
    expect(foldExternal(again.external, { relations: { 'ml\u001fb': null } })).toEqual(
      foldExternal(next.external, { relations: { 'ml\u001fb': null } }),
    )
  })
})
