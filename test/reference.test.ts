import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repository } from './support/project.js'
import { optionsOf, type Section } from './support/reference.js'

const section = (title: string, file: string, name: string, about: string): Section => ({
  ...{ title, file, name, about },
})

const sections: readonly Section[] = [
  section(
    'defineLake',
    'define/options/lake-options.ts',
    'LakeOptions',
    '`defineLake({ … })`, the default export of `lake.ts`.',
  ),
  section(
    'Environments',
    'define/options/environments.ts',
    'Environment',
    'Each of `environments` of a lake, used with `--env NAME` ([Branches](branches.md#environments)).',
  ),
  section(
    'bronze',
    'define/model.ts',
    'BronzeOptions',
    "`bronze('orders', { … })` ([Defining a lake](defining.md#bronze)).",
  ),
  section(
    'silver',
    'define/model.ts',
    'SilverOptions',
    "`silver('orders', { … })` ([Defining a lake](defining.md#silver)).",
  ),
  section(
    'gold',
    'define/model.ts',
    'GoldOptions',
    "`gold('daily', { … })` ([Defining a lake](defining.md#gold)).",
  ),
  section(
    'external',
    'define/model.ts',
    'ExternalOptions',
    "`external('ml.scores', { … })` ([Other engines](other-engines.md)).",
  ),
  section(
    'files',
    'source/declare/files.ts',
    'FilesOptions',
    "`files('in/*.csv', { … })` ([Files](files.md)).",
  ),
  section(
    'inbox',
    'source/declare/inbox.ts',
    'InboxOptions',
    '`inbox({ … })` ([Inbox](inbox.md)).',
  ),
  section(
    'Tables of databases',
    'source/declare/database.ts',
    'TableOptions',
    "`postgres({ url }).table('orders', { … })`, and the same for `mysql`, `mariadb` and `sqlserver` ([Databases](databases.md)).",
  ),
  section(
    'http',
    'source/declare/http.ts',
    'HttpOptions',
    "`http('https://…', { … })` ([APIs](apis.md)).",
  ),
  section(
    'ingest',
    'source/declare/ingest.ts',
    'IngestOptions',
    '`ingest({ … })` ([Events](events.md)).',
  ),
  section(
    'principal',
    'define/access/principal.ts',
    'PrincipalOptions',
    "`principal('analysts', { … })` in `access` ([Query service](query-service.md)).",
  ),
  section(
    'workgroup',
    'define/access/workgroup.ts',
    'WorkgroupOptions',
    "`workgroup('bi', { … })` in `workgroups` ([Query service](query-service.md)).",
  ),
  section(
    'Limits of steps',
    'define/limits.ts',
    'StepLimits',
    '`steps` of a lake ([Running](running.md#steps-that-never-end)).',
  ),
  section(
    'warehouse',
    'define/export/warehouse.ts',
    'WarehouseOptions',
    '`warehouse(postgres(…), { … })` in `exports` ([Warehouses](warehouse.md)).',
  ),
  section(
    'folder',
    'define/export/folder.ts',
    'FolderOptions',
    "`folder('s3://…', { … })` in `exports` ([Warehouses](warehouse.md)).",
  ),
  section(
    'spark',
    'define/engines/spark.ts',
    'SparkOptions',
    '`engine: spark({ … })` ([Where one machine ends](machines.md)).',
  ),
  section(
    'trino',
    'define/engines/trino.ts',
    'TrinoOptions',
    '`engine: trino({ … })` ([Where one machine ends](machines.md)).',
  ),
  section(
    'openLake',
    'query/open.ts',
    'OpenOptions',
    '`openLake(lake, { … })` ([Reading](reading.md#in-programs)).',
  ),
]

it('the reference of the guide has every option, with what its docstring says', () => {
  const path = join(repository, 'docs/guide/reference.md')
  const page = `# Reference

All options of a definition, by the function that takes them. Options without "(required)" may be left out. Your editor shows the same texts.

${sections.map(optionsOf).join('\n')}`
  if (process.env.UPDATE_DOCS) writeFileSync(path, page)
  expect(readFileSync(path, 'utf8')).toBe(page)
})
