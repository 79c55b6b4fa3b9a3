import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Project, temporaryFolder } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { kitJars, runKit } from './kit.js'

/*
 * Iceberg's own tests of REST catalogs, all of which pass that can.
 */

const TOKEN = 'open sesame'

/** Iceberg's client refuses a namespace without a name itself, whatever a server says. */
const WITHOUT_NAMESPACE = {
  Tables: [
    'createAndDropEmptyNamespace()',
    'listNamespacesWithEmptyNamespace()',
    'listTablesInEmptyNamespace()',
    'namespacePropertiesOnEmptyNamespace()',
  ],
  Views: ['listViewsInEmptyNamespace()'],
}

const definition = `
import { defineLake } from 'moraine'
export default defineLake({ name: 'kit', datasets: [] })
`

withService('Iceberg’s compatibility kit', [kitJars], () => {
  it.each([
    { suite: 'Tables', tests: 106, where: 'beside the lake' },
    { suite: 'Views', tests: 51, where: 'in the lake' },
  ] as const)('passes: $suite, which lie $where', async ({ suite, tests, where }) => {
    const project = await Project.create({ 'lake.ts': definition })
    const isInside = where === 'in the lake'
    const folder = isInside ? join(project.folder, 'lake/external') : await temporaryFolder()
    // Some of their locations are fixed.
    const allowed = isInside ? [] : ['--allow-location', 'file:///tmp']
    const served = Served.start(project, ['--catalog', ...allowed], { MORAINE_TOKEN: TOKEN })
    const { url } = await served.line(({ event }) => event === 'catalog')
    const { passed, skipped, failed } = await runKit(suite, folder, {
      uri: String(url),
      token: TOKEN,
      'rck.requires-namespace-create': 'true',
      'rck.supports-names-with-dot': 'true',
    })
    expect(failed).toEqual({})
    expect(skipped.toSorted()).toEqual(WITHOUT_NAMESPACE[suite])
    expect(passed.length + skipped.length).toBe(tests)
    expect(await served.stop()).toBe(0)
  })
})
