import { join } from 'node:path'
import { expect, it } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { Project, step } from '../support/project.js'
import { withService } from '../support/services.js'

const extensions = process.env.DUCKDB_EXTENSIONS
const extension = extensions && join(extensions, 'v1.5.5/linux_amd64/excel.duckdb_extension')

const lake = `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'excel', datasets: [bronze('rows', { from: files('book.xlsx', { sheet: 'Sales' }) })] })
`

withService("DuckDB's extension for Excel", [extension], () => {
  it('a sheet becomes rows, and without the extension the error says what to do', async () => {
    const project = await Project.create({ 'lake.ts': lake }, extensions)
    const engine = await DuckDB.start({ extensions })
    const session = await engine.open()
    await session.loads('excel')
    await session.run(
      `COPY (SELECT * FROM (VALUES (1, 'Müller', 12.5), (2, NULL, 7)) v(id, name, amount)) TO '${project.folder}/book.xlsx' (FORMAT xlsx, HEADER true, SHEET 'Sales')`,
    )
    session.close()
    await engine.close()
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT id, name, amount FROM bronze.rows ORDER BY id')).toEqual([
      { id: '1', name: 'Müller', amount: '12.5' },
      { id: '2', name: null, amount: '7.0' },
    ])
    const without = await Project.create({ 'lake.ts': lake, 'book.xlsx': 'PK' }, '/nowhere')
    const record = await without.run()
    expect(step(record, 'bronze.rows').error?.message).toBe(
      'book.xlsx: reading Excel needs an extension of DuckDB',
    )
  })
})
