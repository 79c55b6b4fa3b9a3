import { join, resolve } from 'node:path'
import type { AwsDeploy } from '../../../aws/options/aws.js'
import type { Lake } from '../../../define/lake.js'
import type { GlobalOptions } from '../../project.js'

export interface DeployOptions extends GlobalOptions {
  diff?: boolean
  out?: string
  yes?: boolean
  revertDrift?: boolean
  drift: boolean
  pause?: string[] | true
  resume?: string[] | true
  destroy?: boolean
}

/** A lake that says where it is deployed. */
export interface Opened {
  lake: Lake
  deploy: AwsDeploy
  /** The file that defines the lake, and its folder. */
  file: string
  folder: string
}

/** Where a file of the user's lies that an option names. */
export const pathFrom = (options: GlobalOptions, path: string) =>
  resolve(join(options.directory, '.'), path)
