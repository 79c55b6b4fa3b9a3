import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../../test/support/project.js'
import { previewFile } from './preview.js'

it('shows JSON lines also where one of them is no JSON, and says which', async () => {
  const path = join(await temporaryFolder(), 'a.jsonl')
  await writeFile(path, '{"id":1,"n":12345678901234567890}\n\nnope\n{"id":2,"tags":["a"]}\n')
  expect(await previewFile(path, 10)).toMatchObject({
    rows: [
      { id: '1', n: '12345678901234567890', tags: null },
      { id: '2', n: null, tags: '["a"]' },
    ],
    note: 'line 3 is not a JSON object',
  })
})

it.each([
  ['a.csv', 'Id,id,_batch,n\n1,2,3,4\n'],
  ['a.json', '[{"Id":1,"id":2,"_batch":3,"n":4}]'],
  ['a.jsonl', '{"Id":1,"id":2,"_batch":3,"n":4}\n'],
])('shows the names that bronze has: %s', async (name, text) => {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, text)
  const { columns, rows } = await previewFile(path, 10)
  expect(columns.map((column) => column.name)).toEqual(['Id_1', 'id', 'x_batch', 'n'])
  expect(Object.values(rows[0] ?? {}).map(Number)).toEqual([1, 2, 3, 4])
})
