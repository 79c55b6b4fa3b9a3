import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lake } from '../../define/lake.js'
import { MoraineError } from '../../errors.js'
import type { AwsDeploy } from '../options/aws.js'
import { template } from '../template/template.js'

/** A stack of CDK, as far as it is used here. */
export interface CdkStack {
  addDependency?(other: any): void
  /** What newer versions call it. */
  addStackDependency?(other: any): void
}

/** What this needs of `aws-cdk-lib`: `Stack`, and `CfnInclude` of its `cloudformation-include`. */
export interface Cdk<S extends CdkStack> {
  readonly Stack: new (scope: any, id: string, props: any) => S
  readonly CfnInclude: new (scope: any, id: string, props: any) => unknown
}

export interface LakeStacksOptions {
  /**
   * Where in the lake's bucket the functions' code lies, as `lakeCode` says it. Without it, it is
   * the parameter `CodeKey` of the stacks that have functions.
   */
  readonly codeKey?: string
  /** The account; the region is that of the lake's `deploy`. */
  readonly account?: string
  /**
   * Folders of datasets that were renamed, by the names of now, since nothing is read here:
   * `{ 'silver.sales': ['silver/orders/'] }`. `moraine deploy` finds them by itself.
   */
  readonly olderFolders?: Readonly<Record<string, readonly string[]>>
}

/**
 * The stacks of a lake in an app of CDK, by their names: the very resources that `moraine deploy`
 * makes, so that aspects, tags and checks of the app reach them. The first one holds the bucket
 * into which the code goes; the others come after it.
 *
 * @example
 *   const { key } = await lakeCode('lake.ts')
 *   lakeStacks({ Stack, CfnInclude }, app, lake, { codeKey: key })
 *
 * @param cdk classes of the app's own `aws-cdk-lib`.
 * @throws MoraineError of kind `usage` for a lake without `deploy: aws({ … })`; DefinitionError.
 */
export function lakeStacks<S extends CdkStack>(
  cdk: Cdk<S>,
  scope: unknown,
  lake: Lake,
  { codeKey, account, olderFolders = {} }: LakeStacksOptions = {},
): Record<string, S> {
  if (lake.deploy?.kind !== 'aws')
    throw new MoraineError('usage', `The lake ${lake.name} is not deployed to AWS`, {
      hint: "Add deploy: aws({ region: '…' }) to defineLake.",
    })
  const deploy = lake.deploy as AwsDeploy
  const folder = mkdtempSync(join(tmpdir(), 'moraine-cdk-'))
  const made: Record<string, S> = {}
  try {
    const { stacks } = template(lake, deploy, {
      olderFolders: new Map(Object.entries(olderFolders)),
    })
    for (const { name, template: content, parameters } of stacks) {
      const env = { region: deploy.region, account: account ?? deploy.account }
      const stack = new cdk.Stack(scope, name, { stackName: name, env })
      const templateFile = join(folder, `${name}.json`)
      writeFileSync(templateFile, JSON.stringify(content))
      const given = codeKey === undefined || parameters.length === 0 ? {} : { CodeKey: codeKey }
      new cdk.CfnInclude(stack, 'Lake', { templateFile, parameters: given })
      for (const before of Object.values(made)) {
        if (stack.addStackDependency) stack.addStackDependency(before)
        else stack.addDependency?.(before)
      }
      made[name] = stack
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return made
}
