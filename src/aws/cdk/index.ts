/** A lake on AWS for apps of CDK, which stay those that deploy. */
export { type LakeCode, lakeCode } from './lake-code.js'
export {
  type Cdk,
  type CdkStack,
  type LakeStacksOptions,
  lakeStacks,
} from './lake-stacks.js'
