import { texts } from '../../define/options/expected.js'
import { type Expected, having, needed, type OptionList } from '../../define/options/options.js'

/** A network that functions and Glue run in. */
export interface VpcOptions {
  /** Subnets of functions, at least two for safety: `subnet-…`. */
  subnets: readonly string[]
  securityGroups: readonly string[]
  /** Makes private endpoints of the services that the lake uses, in this network. */
  endpoints?: EndpointOptions
}

export interface EndpointOptions {
  /** `vpc-…` */
  vpc: string
  /** Route tables that lead to S3: `rtb-…`. */
  routeTables: readonly string[]
}

const id = (kind: string): RegExp => new RegExp(`^${kind}-[0-9a-f]{8,17}$`)
const ids = (kind: string, is: string): Expected => ({
  is: `a list of ${is}, such as ['${kind}-0123456789abcdef0']`,
  fits: (value) =>
    texts.fits(value) &&
    (value as string[]).length > 0 &&
    (value as string[]).every((one) => id(kind).test(one)),
})

const endpointList: OptionList<EndpointOptions> = {
  vpc: needed({
    is: "the id of a VPC, such as 'vpc-0123456789abcdef0'",
    fits: (value) => typeof value === 'string' && id('vpc').test(value),
  }),
  routeTables: needed(ids('rtb', 'route tables')),
}

const vpcList: OptionList<VpcOptions> = {
  subnets: needed(ids('subnet', 'subnets')),
  securityGroups: needed(ids('sg', 'security groups')),
  endpoints: having<EndpointOptions>(endpointList),
}

export const vpcExpected: Expected = having<VpcOptions>(vpcList)
