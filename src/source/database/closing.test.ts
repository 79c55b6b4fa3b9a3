import { expect, it } from 'vitest'
import { closing } from './closing.js'

it('a connection that never closes, or that is lost, keeps nobody waiting', async () => {
  await expect(closing(new Promise(() => {}))).resolves.toBeUndefined()
  await expect(closing(Promise.reject(new Error('lost')))).resolves.toBeUndefined()
})
