import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'

const report = 'Sales\n# in thousands\nid||amount\n1||10\n2||N/A\nTotal||30\n\n'

it('a text file is previewed by the words that its definition will have', async () => {
  const project = await Project.create({
    'report.txt': report,
    'wide.csv': Buffer.from('a,b\n1,Zoë\n', 'utf16le'),
    'image.csv': Buffer.from('89504e470d0a1a0a0000000d', 'hex'),
  })
  const said = [
    '--delimiter',
    '||',
    '--skip',
    '1',
    '--comment',
    '#',
    '--footer',
    '1',
    '--null',
    'N/A',
  ]
  const shown = await project.cli('preview', 'report.txt', ...said, '--json')
  expect(JSON.parse(shown.stdout)).toEqual([
    { id: '1', amount: '10' },
    { id: '2', amount: null },
  ])
  const bare = await project.cli('preview', 'report.txt', '--delimiter', '||', '--header', 'none')
  expect(bare.stdout).toContain('column 2')
  const lines = await project.cli('preview', 'report.txt', '--delimiter', '||', '--header', '3')
  expect(lines.stdout).toContain('the first is line 4; the first 3 rows')
  const wide = await project.cli('preview', 'wide.csv')
  expect(wide.stdout).toContain('Zoë')
  expect(wide.stdout).toContain("encoding: 'utf-16le'")
  const decoded = await project.cli('preview', 'wide.csv', '--encoding', 'utf-16le', '--json')
  expect(JSON.parse(decoded.stdout)).toEqual([{ a: '1', b: 'Zoë' }])
  const image = await project.cli('preview', 'image.csv')
  expect(image.stderr).toContain(
    'image.csv is a PNG image, but its extension .csv means delimited text',
  )
  const wrong = await project.cli('preview', 'report.txt', '--header', '0')
  expect(wrong).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--header 0 is not a line number'),
  })
})

const starter = `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'shop', datasets: [bronze('orders', { from: files('in') })] })
`

it('a file that is not there is said to be none, not taken for a dataset', async () => {
  const project = await Project.create({ 'lake.ts': starter })
  for (const what of ['nix.csv', 'in/nix'])
    expect(await project.cli('preview', what)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/There is no file .*nix/),
    })
  expect(await project.cli('preview', 'nix')).toMatchObject({
    stderr: expect.stringContaining("There is no dataset 'nix'"),
  })
})

it('options say part of how a file is read, and the rest is found out', async () => {
  const project = await Project.create({
    'nested.json': '{"data":{"items":[{"x":1},{"x":2}]}}',
    'work.xml': Buffer.from(
      '<?xml version="1.0"?>\n<jobs><job id="7"><part>\xd6l \x80</part></job><job id="8"><part>B</part></job></jobs>',
      'latin1',
    ),
    'some.csv': 'a;b\n1;NA\n2;x\n',
    'titled.txt': 'Sales\n\nid\tn\n1\t2\n',
  })
  const corpus = join(import.meta.dirname, '../../golden/excel/openpyxl.xlsx')
  await cp(corpus, join(project.folder, 'prices.xlsx'))
  const rowsOf = async (...args: string[]) => {
    const { stdout, stderr } = await project.cli('preview', ...args, '--json')
    expect(stderr).toBe('')
    return JSON.parse(stdout)
  }
  expect(await rowsOf('nested.json', '--encoding', 'utf-8')).toHaveLength(2)
  expect(await rowsOf('nested.json', '--rows', 'data.items')).toEqual([{ x: '1' }, { x: '2' }])
  expect(await rowsOf('work.xml', '--encoding', 'latin1')).toEqual([
    { '@id': '7', part: 'Öl €' },
    { '@id': '8', part: 'B' },
  ])
  expect(await rowsOf('some.csv', '--null', 'NA')).toEqual([
    { a: '1', b: null },
    { a: '2', b: 'x' },
  ])
  expect((await project.cli('preview', 'some.csv', '--null', 'NA')).stdout).toContain(
    "delimiter: ';'; the first is line 2; the first 2 rows",
  )
  expect(await rowsOf('titled.txt', '--header', '3')).toEqual([{ id: '1', n: '2' }])
  expect(await rowsOf('nested.json', '--format', 'delimited')).toHaveLength(1)
  const cells = await rowsOf('prices.xlsx', '--range', 'A5:B6', '--header', 'none')
  expect(cells.map((row: object) => Object.keys(row).length)).toEqual([2, 2])
  expect(await rowsOf('prices.xlsx', '--sheet', 'rates', '-n', '1')).toHaveLength(1)
  const rates = await rowsOf('prices.xlsx', '--sheet', 'rates')
  expect(await rowsOf('prices.xlsx', '--sheet', 'rates', '--header', '1')).toEqual(rates)
  for (const [option, value, message] of [
    ['--delimiter', ';', '--delimiter applies to delimited text, but prices.xlsx is Excel'],
    ['--format', 'csv', "Unknown format 'csv'"],
  ] as const)
    expect(await project.cli('preview', 'prices.xlsx', option, value)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message),
    })
})
