import { expect, it } from 'vitest'
import { openStorage } from './root.js'

it('refuses a URL with one slash, which would be a new folder of that name', () => {
  for (const [root, meant] of [
    ['s3:/bucket/shop', 's3://bucket/shop'],
    ['file:/data/lake', 'file:///data/lake'],
  ] as const)
    expect(() => openStorage(root)).toThrow(
      expect.objectContaining({ kind: 'usage', hint: `Write ${meant}` }),
    )
  for (const root of ['lake', './s3/lake', 'file:///data/lake', 'C:/data/lake'])
    expect(openStorage(root).url).toMatch(/^file:/)
})
