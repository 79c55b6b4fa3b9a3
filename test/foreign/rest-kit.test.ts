import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { moraine, Project, temporaryFolder } from '../support/project.js'
import { Served } from '../support/served.js'
import { minioKeys, minioProgram } from '../support/servers.js'
import { withService } from '../support/services.js'
import { kitJars, runKit } from './kit.js'

/*
 * Iceberg's own tests of REST catalogs, all of which pass that can.
 */

const TOKEN = 'open sesame'

/** How many tests a suite has, and which can't pass. */
const suites = {
  Tables: {
    tests: 106,
    // Iceberg's client refuses a namespace without a name itself, whatever a server says.
    off: [
      'createAndDropEmptyNamespace()',
      'listNamespacesWithEmptyNamespace()',
      'listTablesInEmptyNamespace()',
      'namespacePropertiesOnEmptyNamespace()',
    ],
  },
  Views: { tests: 51, off: ['listViewsInEmptyNamespace()'] },
}

/** They move metadata files in a folder of this machine, where those of a bucket are not. */
const LOCAL = {
  Tables: 'testLoadTableWithMissingMetadataFile(Path)',
  Views: 'createViewWithCustomMetadataLocation()',
}

const definition = `
import { defineLake } from 'moraine'
export default defineLake({ name: 'kit', datasets: [] })
`

/** Runs a suite against the catalog of a project. */
async function passes(
  suite: keyof typeof suites,
  project: Project,
  { args, folder, properties = {}, fails = [] }: KitRun,
): Promise<void> {
  const served = Served.start(project, ['--catalog', ...args], { MORAINE_TOKEN: TOKEN })
  const { url } = await served.line(({ event }) => event === 'catalog')
  const { passed, skipped, failed } = await runKit(suite, folder, {
    uri: String(url),
    token: TOKEN,
    'rck.requires-namespace-create': 'true',
    'rck.supports-names-with-dot': 'true',
    ...properties,
  })
  const { tests, off } = suites[suite]
  expect(Object.keys(failed), JSON.stringify(failed, null, 2)).toEqual(fails)
  expect(skipped.toSorted()).toEqual(off)
  expect(passed.length + skipped.length + fails.length).toBe(tests)
  expect(await served.stop()).toBe(0)
}

interface KitRun {
  /** Of `moraine serve`. */
  args: readonly string[]
  /** For its temporary files, which it names as locations. */
  folder: string
  properties?: Record<string, string>
  fails?: readonly string[]
}

withService('Iceberg’s compatibility kit', [kitJars], () => {
  it('passes: tables, which lie beside the lake', async () => {
    const project = await Project.create({ 'lake.ts': definition })
    const folder = await temporaryFolder()
    // Some of their locations are fixed.
    await passes('Tables', project, { args: ['--allow-location', 'file:///tmp'], folder })
  })

  it('passes: views, which lie in the lake', async () => {
    const project = await Project.create({ 'lake.ts': definition })
    await passes('Views', project, { args: [], folder: join(project.folder, 'lake/external') })
  })
})

withService('Iceberg’s compatibility kit on an S3 server', [kitJars, minioProgram], () => {
  describe('on a branch, which is a prefix', () => {
    it.each(['Tables', 'Views'] as const)('passes: %s', async (suite) => {
      const { server } = await startBuckets(['kit'])
      onTestFinished(() => server.stop())
      const project = await Project.create({ 'lake.ts': definition })
      const root = ['--root', `s3://kit/lake?endpoint=${server.url}`]
      const begun = await moraine(['-C', project.folder, ...root, 'branch', 'create', 'kit'])
      expect(begun.code, begun.stderr).toBe(0)
      await passes(suite, project, {
        args: [...root, '--allow-location', 'file:///tmp'],
        folder: await temporaryFolder(),
        properties: {
          warehouse: 'lake@kit',
          'kit.location': 's3://kit/lake/external/kit',
          'io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
          'client.region': 'us-east-1',
          's3.endpoint': server.url,
          's3.path-style-access': 'true',
          's3.access-key-id': minioKeys.AWS_ACCESS_KEY_ID,
          's3.secret-access-key': minioKeys.AWS_SECRET_ACCESS_KEY,
        },
        fails: [LOCAL[suite]],
      })
    })
  })
})
