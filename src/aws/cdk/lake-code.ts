import { loadLake } from '../../load/load.js'
import { codeKey } from '../deploy/cloud/shelf.js'
import type { AwsDeploy } from '../options/aws.js'
import { packLambda } from '../package/pack-lambda.js'

/** The code of a lake's functions. */
export interface LakeCode {
  zip: Buffer
  /** Where it belongs in the lake's bucket: `_deploy/….zip`, by its content. */
  key: string
}

/**
 * Packs the functions of a lake, as `moraine deploy` does, for whoever deploys by other means: it
 * has to lie in the lake's bucket before the stacks with functions are made.
 *
 * @param file that defines the lake.
 */
export async function lakeCode(file: string): Promise<LakeCode> {
  const lake = await loadLake(file)
  const { architecture = 'arm64' } = (lake.deploy ?? {}) as Partial<AwsDeploy>
  const { zip, content } = await packLambda({ file, lake }, { arch: architecture })
  return { zip, key: codeKey(content) }
}
