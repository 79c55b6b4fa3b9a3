/** A lake on AWS, as data: nothing here calls a service, or loads a client of one. */
export { type AwsDeploy, aws } from './options/aws.js'
export type { AwsOptions, FunctionOptions } from './options/options.js'
export type { Json, Resource, Template } from './template/cfn.js'
export { type OlderFolders, type Rights, rightsOf } from './template/jobs/rights.js'
export { deployedJobs } from './template/jobs.js'
export type { Stack } from './template/stacks.js'
export { type Deployment, type TemplateOptions, template } from './template/template.js'
