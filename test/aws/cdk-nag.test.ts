import { mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Deployment } from '../../src/aws/index.js'
import { everything, examples, templatesOf } from '../support/example-templates.js'
import { nagReasons } from '../support/nag-reasons.js'
import { withService } from '../support/services.js'

const folder = process.env.MORAINE_CDK ?? join(homedir(), '.cache/moraine-ci/cdk')
const library = join(folder, 'node_modules/cdk-nag')

const PACKS = [
  'AwsSolutionsChecks',
  'HIPAASecurityChecks',
  'NIST80053R4Checks',
  'NIST80053R5Checks',
  'PCIDSS321Checks',
  'ServerlessChecks',
]

interface Report {
  violations: { ruleName: string; violatingResources: { constructPath: string }[] }[]
}

/** What the packs find in templates: rule and resource, without what was found of it. */
function findings(deployments: readonly Deployment[]): Set<string> {
  const load = createRequire(join(folder, 'package.json'))
  const { App, Stack } = load('aws-cdk-lib')
  const { CfnInclude } = load('aws-cdk-lib/cloudformation-include')
  const nag = load('cdk-nag')
  const found = new Set<string>()
  const written = mkdtempSync(join(tmpdir(), 'moraine-test-'))
  for (const [at, { stacks }] of deployments.entries()) {
    const app = new App({ analyticsReporting: false })
    for (const { name, template } of stacks) {
      const templateFile = join(written, `${at}-${name}.json`)
      writeFileSync(templateFile, JSON.stringify(template))
      new CfnInclude(new Stack(app, name), 'Template', { templateFile })
    }
    const suppressed = new Set(stacks.flatMap(({ template }) => inTemplate(template.Resources)))
    for (const pack of PACKS) {
      const { violations } = new nag[pack](app).validateScope(app) as Report
      for (const { ruleName, violatingResources } of violations)
        for (const { constructPath } of violatingResources) {
          const finding = `${ruleName.replace(/\[.*$/s, '')} ${constructPath.split('/').at(-1)}`
          if (!suppressed.has(finding)) found.add(finding)
        }
    }
  }
  return found
}

/** What the templates themselves give reasons for. */
function inTemplate(resources: Deployment['stacks'][number]['template']['Resources']): string[] {
  return Object.entries(resources).flatMap(([id, { Metadata }]) => {
    const nag = Metadata?.cdk_nag as
      | { rules_to_suppress: { id: string; reason: string }[] }
      | undefined
    return (nag?.rules_to_suppress ?? []).map((rule) => {
      expect(rule.reason.length).toBeGreaterThan(20)
      return `${rule.id} ${id}`
    })
  })
}

withService('cdk-nag', [library], () => {
  it('finds nothing without a written reason, and no reason is left over', async () => {
    const cases = examples.flatMap((name) => [templatesOf(name), templatesOf(name, everything)])
    const found = [...findings(await Promise.all(cases))]
    const isMet = (finding: string, { rule, resources }: (typeof nagReasons)[number]) => {
      const [name = '', id = ''] = finding.split(' ')
      return name.endsWith(`-${rule}`) && resources.test(id)
    }
    expect(found.filter((one) => !nagReasons.some((reason) => isMet(one, reason)))).toEqual([])
    expect(nagReasons.filter((reason) => !found.some((one) => isMet(one, reason)))).toEqual([])
  })

  it('would find what is wrong: a bucket that is open, and a role that may do all', () => {
    const Resources = {
      Open: { Type: 'AWS::S3::Bucket', Properties: {} },
      All: {
        Type: 'AWS::IAM::ManagedPolicy',
        Properties: {
          PolicyDocument: { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
        },
      },
    }
    const bad = { stacks: [{ name: 'bad', template: { Resources } }] } as unknown as Deployment
    expect([...findings([bad])]).toEqual(
      expect.arrayContaining(['AwsSolutions-IAM5 All', 'AwsSolutions-S1 Open']),
    )
  })
})
