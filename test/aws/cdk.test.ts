import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { lakeCode, lakeStacks } from '../../src/aws/cdk/index.js'
import { template } from '../../src/aws/index.js'
import type { AwsDeploy } from '../../src/aws/options/aws.js'
import { loadLake } from '../../src/load/load.js'
import { lakeProject } from '../support/deploying.js'
import { withService } from '../support/services.js'

/** A folder with `aws-cdk-lib` and `constructs`, which take more room than all else here. */
const folder = process.env.MORAINE_CDK ?? join(homedir(), '.cache/moraine-ci/cdk')
const library = join(folder, 'node_modules/aws-cdk-lib')

withService('CDK', [library], () => {
  it('an app of CDK has the very resources that deploy makes, in stacks of the same names', async () => {
    const load = createRequire(join(folder, 'package.json'))
    const { App, Stack } = load('aws-cdk-lib')
    const { CfnInclude } = load('aws-cdk-lib/cloudformation-include')
    const project = await lakeProject('cdk', "region: 'us-east-1', account: '123456789012'")
    const file = join(project.folder, 'lake.ts')
    const lake = await loadLake(file)
    const { key, zip } = await lakeCode(file)
    expect(key).toMatch(/^_deploy\/\S+\.zip$/)
    expect(zip.length).toBeGreaterThan(1e6)
    const app = new App({ analyticsReporting: false })
    const made = lakeStacks({ Stack, CfnInclude }, app, lake, { codeKey: key })
    expect(Object.keys(made)).toEqual(['cdk-base', 'cdk'])
    const assembly = app.synth()
    for (const { name, template: own } of template(lake, lake.deploy as AwsDeploy).stacks) {
      const found = assembly.getStackByName(name)
      const text = JSON.stringify(own.Resources).replaceAll(
        '{"Ref":"CodeKey"}',
        JSON.stringify(key),
      )
      expect(found.template.Resources).toEqual(JSON.parse(text))
      expect(found.environment).toMatchObject({ account: '123456789012', region: 'us-east-1' })
    }
    expect(
      assembly.getStackByName('cdk').dependencies.map((one: { id: string }) => one.id),
    ).toEqual(expect.arrayContaining(['cdk-base']))
  })
})
