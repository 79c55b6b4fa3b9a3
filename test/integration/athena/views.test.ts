import { DeleteTableCommand, GetTableCommand, GlueClient } from '@aws-sdk/client-glue'
import { expect, it } from 'vitest'
import type { Asked } from './asked.js'
import { onScratch } from './scratch.js'

let client: Asked
onScratch((asked) => {
  client = asked
})

it('a view is made, read, replaced, described and dropped as on Athena', async () => {
  await client.done(
    "-- from dbt\nCREATE VIEW rock AS SELECT eventid AS Id, name, date_format(starts, '%Y') AS year FROM silver.events WHERE category = 'Rock';",
  )
  expect(
    await client.rows(
      'SELECT id, year FROM "awsdatacatalog"."scratch"."rock" r ORDER BY r.id LIMIT 2',
    ),
  ).toEqual([
    ['1', '2026'],
    ['7', '2026'],
  ])
  await expect(client.done('CREATE VIEW rock AS SELECT 1 AS id')).rejects.toThrow(/already exists/)
  await client.done(
    'CREATE OR REPLACE VIEW rock AS SELECT eventid AS id, name FROM silver.events WHERE eventid IN (1, 2)',
  )
  expect(await client.rows('SELECT * FROM rock ORDER BY id')).toEqual([
    ['1', 'Event 1, "live"'],
    ['2', 'Event 2, "live"'],
  ])
  expect((await client.ask('SHOW CREATE VIEW rock')).rows.flat()).toEqual([
    'CREATE OR REPLACE VIEW "scratch"."rock" AS',
    'SELECT eventid AS id, name FROM silver.events WHERE eventid IN (1, 2)',
  ])
  expect((await client.ask('SHOW VIEWS IN scratch')).rows).toEqual([['rock']])
  expect(
    await client.rows("SELECT table_type FROM information_schema.tables WHERE table_name = 'rock'"),
  ).toEqual([['VIEW']])
  const glue = new GlueClient(client.options())
  const name = { DatabaseName: 'scratch', Name: 'rock' }
  const { Table } = await glue.send(new GetTableCommand(name))
  expect(Table).toMatchObject({
    TableType: 'VIRTUAL_VIEW',
    StorageDescriptor: {
      Columns: [
        { Name: 'id', Type: 'int' },
        { Name: 'name', Type: 'string' },
      ],
    },
  })
  await expect(client.done("INSERT INTO rock VALUES (3, 'x')")).rejects.toThrow(/rock/)
  await client.done('DROP VIEW IF EXISTS rock')
  await client.done('DROP VIEW IF EXISTS rock')
  await expect(client.done('DROP VIEW rock')).rejects.toThrow(/does not exist/)
  await client.done('CREATE VIEW rock AS SELECT 1 AS one')
  await glue.send(new DeleteTableCommand(name))
  await expect(client.rows('SELECT * FROM rock')).rejects.toThrow(/does not exist/)
  await expect(client.done('CREATE VIEW silver.mine AS SELECT 1 AS one')).rejects.toThrow(/silver/)
  await expect(client.done('CREATE VIEW two AS SELECT 1 AS a, 2 AS a')).rejects.toThrow(/'a'/)
})

it('whoever reads a view reads by their own rights', async () => {
  await client.done(
    'CREATE VIEW sold AS SELECT eventid, count(*) AS sales FROM silver.sales GROUP BY 1',
  )
  await client.done('CREATE VIEW shown AS SELECT count(*) AS events FROM sold')
  await client.done('CREATE VIEW starting AS SELECT max(starts) AS last FROM silver.events')
  expect(await client.rows('SELECT events FROM shown')).toEqual([['20']])
  expect(await client.rows('SELECT events FROM shown', 'partner')).toEqual([['5']])
  await expect(client.rows('SELECT * FROM starting', 'partner')).rejects.toThrow(
    /In the view scratch\.starting: .*(silver\.)?events' does not exist/,
  )
  await expect(client.rows('SELECT * FROM scratch.shown', 'clerk')).rejects.toThrow(
    /does not exist/,
  )
  await expect(client.ask('DROP VIEW shown', 'partner')).rejects.toThrow(/may not write/)
})

it('a view has the columns that it was made with, and says when its tables have lost one', async () => {
  await client.done('CREATE TABLE base (a int, b string)')
  await client.done("INSERT INTO base VALUES (1, 'x')")
  await client.done('CREATE VIEW over_base AS SELECT * FROM base')
  await client.done('ALTER TABLE base ADD COLUMNS (c int)')
  expect((await client.ask('SELECT * FROM over_base')).rows).toEqual([
    ['a', 'b'],
    ['1', 'x'],
  ])
  await client.done('ALTER TABLE base DROP COLUMN b')
  await expect(client.rows('SELECT a FROM over_base')).rejects.toThrow(/is stale: .*column b/)
  await client.done('CREATE OR REPLACE VIEW over_base AS SELECT a FROM base')
  expect(await client.rows('SELECT a FROM over_base')).toEqual([['1']])
  await client.done('CREATE VIEW first AS SELECT a FROM over_base')
  await client.done('CREATE OR REPLACE VIEW over_base AS SELECT a FROM first')
  await expect(client.rows('SELECT a FROM first')).rejects.toThrow(/too many views within views/)
})
