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
