import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { commands } from './main.js'
import { isRead, placeholderOf, textValues } from './option-values.js'

describe('options of commands', () => {
  it('call their values by what reads them, or by what is known to be a text', async () => {
    for (const [name, load] of commands) {
      const { define } = await load()
      for (const option of define(new Command(name)).options) {
        const value = placeholderOf(option)
        if (value === undefined) continue
        expect(isRead(value) || textValues.includes(value), `${name} ${option.flags}`).toBe(true)
      }
    }
  })
})
