import { expect, it, onTestFinished } from 'vitest'
import { compareRows } from '../../src/aws/athena/compare.js'
import { runOnAthena } from '../../src/aws/athena/run-query.js'
import { rowsOf } from '../../src/aws/athena/values.js'
import type { Field } from '../../src/define/types/column-type.js'
import { python } from '../foreign/readers.js'
import { AthenaDouble, type Scripted } from '../support/athena-double.js'
import { moraine, Project } from '../support/project.js'
import { modelFolder, ServiceModel } from '../support/service-model.js'
import { withService } from '../support/services.js'

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' }
const folder = modelFolder(python)
const wait = () => new Promise((done) => setImmediate(done))

withService("botocore's model of Athena", [folder], () => {
  const model = folder === undefined ? undefined : ServiceModel.load(folder, 'athena')
  const start = async (script: (sql: string) => Scripted) => {
    const double = await AthenaDouble.start(model as ServiceModel, script)
    onTestFinished(() => {
      double.stop()
      expect(double.problems).toEqual([])
    })
    const place = { endpoint: double.url, region: 'us-east-1', credentials: keys }
    return { double, place }
  }

  it('gives rows of many pages, with the values that the lake has', async () => {
    const columns = [
      { Name: 'id', Type: 'bigint' },
      { Name: 'amount', Type: 'decimal', Precision: 12, Scale: 2 },
      { Name: 'at', Type: 'timestamp' },
      { Name: 'day', Type: 'date' },
      { Name: 'ok', Type: 'boolean' },
      { Name: 'note', Type: 'varchar' },
      { Name: 'x', Type: 'double' },
      { Name: 'raw', Type: 'varbinary' },
    ]
    const row = (i: number) => [
      String(9007199254740993n + BigInt(i)),
      `${i}.50`,
      '2026-01-02 03:04:05.678',
      '2026-01-02',
      'true',
      i % 2 ? '' : null,
      '1.0E-7',
      '00 ff',
    ]
    const { double, place } = await start(() => ({
      columns,
      rows: Array.from({ length: 2500 }, (_, i) => row(i)),
      busy: 3,
    }))
    const answer = await runOnAthena(
      'SELECT 1',
      { ...place, workgroup: 'team', output: 's3://results/x/' },
      { wait },
    )
    expect(answer).toMatchObject({ scannedBytes: 12_345_678, milliseconds: 1234 })
    const fields: Field[] = [
      { name: 'id', type: { kind: 'bigint' } },
      { name: 'amount', type: { kind: 'decimal', precision: 12, scale: 2 } },
      { name: 'at', type: { kind: 'timestamp' } },
      { name: 'day', type: { kind: 'date' } },
      { name: 'ok', type: { kind: 'boolean' } },
      { name: 'note', type: { kind: 'string' } },
      { name: 'x', type: { kind: 'double' } },
      { name: 'raw', type: { kind: 'binary' } },
    ]
    const rows = rowsOf(answer, fields)
    expect(rows).toHaveLength(2500)
    expect(rows.slice(0, 2)).toEqual([
      {
        id: 9007199254740993n,
        amount: '0.50',
        at: '2026-01-02T03:04:05.678000Z',
        day: '2026-01-02',
        ok: true,
        note: null,
        x: 1e-7,
        raw: Uint8Array.of(0, 255),
      },
      {
        id: 9007199254740994n,
        amount: '1.50',
        at: '2026-01-02T03:04:05.678000Z',
        day: '2026-01-02',
        ok: true,
        note: '',
        x: 1e-7,
        raw: Uint8Array.of(0, 255),
      },
    ])
    expect(double.calls.map(({ operation }) => operation)).toEqual([
      'StartQueryExecution',
      ...Array(4).fill('GetQueryExecution'),
      ...Array(3).fill('GetQueryResults'),
    ])
    expect(double.calls[0]?.input).toMatchObject({
      QueryExecutionContext: { Catalog: 'AwsDataCatalog' },
      WorkGroup: 'team',
      ResultConfiguration: { OutputLocation: 's3://results/x/' },
    })
    expect(() =>
      rowsOf(answer, [{ name: 'id', type: { kind: 'int' } }, ...fields.slice(1)]),
    ).toThrow("Athena gives 'id' as bigint, and the query has int")
  })

  it('says what Athena says is wrong, in words that tell what to do', async () => {
    const scripts: Record<string, Scripted> = {
      lost: {
        fails: {
          StateChangeReason: 'TABLE_NOT_FOUND: line 1:15: Table x does not exist',
          AthenaError: { ErrorCategory: 2, Retryable: false },
        },
      },
      system: {
        fails: {
          StateChangeReason: 'GENERIC_INTERNAL_ERROR',
          AthenaError: { ErrorCategory: 1, Retryable: true },
        },
      },
      large: { cancelled: 'Query cancelled! : Bytes scanned limit was exceeded' },
      place: {
        refuses: { __type: 'InvalidRequestException', message: 'No output location provided.' },
      },
      denied: { refuses: { __type: 'AccessDeniedException', message: 'You are not authorized' } },
    }
    const { place } = await start((sql) => scripts[sql] as Scripted)
    const ask = (sql: string) =>
      runOnAthena(sql, place, { wait }).then(
        () => undefined,
        ({ kind, message, hint, retryable }) => ({ kind, message, hint, retryable }),
      )
    expect(await ask('lost')).toMatchObject({
      kind: 'query',
      hint: expect.stringContaining('moraine project'),
    })
    expect(await ask('system')).toMatchObject({ kind: 'engine', retryable: true })
    expect(await ask('large')).toMatchObject({ kind: 'limit' })
    expect(await ask('place')).toMatchObject({
      kind: 'usage',
      hint: expect.stringContaining('--output'),
    })
    const denied = await ask('denied')
    expect(denied).toMatchObject({
      kind: 'engine',
      hint: expect.stringContaining('athena:StartQueryExecution'),
    })
    expect(JSON.stringify(denied)).not.toContain(keys.secretAccessKey)
  })

  it('stops the query there when it is stopped here', async () => {
    const { double, place } = await start(() => ({ runs: 'for ever' }))
    const abort = new AbortController()
    let asked = 0
    const pause = async () => {
      if (++asked === 3) abort.abort()
    }
    await expect(
      runOnAthena('SELECT 1', place, { signal: abort.signal, wait: pause }),
    ).rejects.toMatchObject({ kind: 'cancelled' })
    expect(double.calls.at(-1)?.operation).toBe('StopQueryExecution')
  })

  it('asks the same question by moraine query, in SQL for Trino, and compares', async () => {
    const project = await Project.create({
      'in/1.csv': 'id,amount\n1,2.50\n2,3.50\n3,4.50\n',
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', { from: bronze('orders', { from: files('in/*.csv') }), schema: z.object({ id: t.int(), amount: t.decimal(12, 2) }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [orders] })
`,
    })
    await project.run()
    const columns = [
      { Name: 'id', Type: 'integer' },
      { Name: 'amount', Type: 'decimal', Precision: 12, Scale: 2 },
    ]
    let rows = [
      ['2', '3.50'],
      ['3', '4.50'],
    ]
    const { double } = await start(() => ({ columns, rows }))
    const env = {
      AWS_ENDPOINT_URL: double.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    }
    const ask = (...args: string[]) =>
      moraine(
        [
          '-C',
          project.folder,
          'query',
          '--on',
          'athena',
          ...args,
          'select id, amount from silver.orders where amount > 3',
        ],
        env,
      )
    const same = await ask('--compare', '--json')
    expect([same.code, JSON.parse(same.stdout)]).toEqual([
      0,
      [
        { id: 2, amount: '3.50' },
        { id: 3, amount: '4.50' },
      ],
    ])
    expect(same.stderr).toContain('Athena gives the same 2 rows as the lake.')
    expect(double.calls[0]?.input.QueryString).toContain('"shop_silver"."orders"')
    rows = [
      ['2', '3.50'],
      ['3', '4.51'],
    ]
    const other = await ask('--compare')
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringContaining('In both: 1 row. Only here: 1. Only on Athena: 1.'),
    ])
    const refused = await moraine(
      ['-C', project.folder, 'query', '--on', 'athena', 'select * from bronze.orders'],
      env,
    )
    expect([refused.code, refused.stderr]).toEqual([
      expect.any(Number),
      expect.stringContaining("bronze.orders can't be asked for on Athena"),
    ])
  })
})

it('compares rows by how often each is there, whatever their order', () => {
  const columns: Field[] = [{ name: 'a', type: { kind: 'int' } }]
  const rows = (...values: (number | null)[]) => values.map((a) => ({ a }))
  expect(compareRows(rows(1, 1, 2, null), rows(null, 2, 1, 3), columns)).toEqual({
    same: 3,
    onlyHere: { rows: 1, examples: [{ a: 1 }] },
    onlyThere: { rows: 1, examples: [{ a: 3 }] },
  })
})
