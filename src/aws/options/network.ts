import { object, texts } from '../../define/options/expected.js'
import { type Expected, having, needed, type OptionList } from '../../define/options/options.js'

/** A network that functions and Glue run in. */
export interface VpcOptions {
  /** Subnets of functions, at least two for safety: `subnet-…`. */
  subnets: readonly string[]
  /** With jobs of Glue, one of them lets in all TCP from itself: Spark's programs talk so. */
  securityGroups: readonly string[]
  /** The zone of the first subnet, for jobs of Glue: `eu-central-1a`. */
  zone?: string
  /** Makes private endpoints of the services that the lake uses, in this network. */
  endpoints?: EndpointOptions
}

export interface EndpointOptions {
  /** `vpc-…` */
  vpc: string
  /** Route tables that lead to S3: `rtb-…`. */
  routeTables: readonly string[]
}

/** A database that Glue reaches in a network. */
export interface ConnectionOptions {
  /** `jdbc:postgresql://host:5432/shop`, without a user or a password. */
  url: string
  /** The secret with `username` and `password`, by its name in Secrets Manager. */
  secret: string
  subnet: string
  /** The zone of the subnet: `eu-central-1a`. */
  zone: string
  securityGroups: readonly string[]
}

export interface RedshiftOptions {
  /** At least three, in different zones. */
  subnets: readonly string[]
  securityGroups: readonly string[]
  /** Base capacity in RPUs: 4, 8, and multiples of 8 up to 512. Default: 8. */
  capacity?: number
  /** RPUs that it takes at most, with many queries at once. Default: 4 times the base capacity. */
  maxCapacity?: number
}

const id = (kind: string): RegExp => new RegExp(`^${kind}-[0-9a-f]{8,17}$`)
const ids = (kind: string, is: string): Expected => ({
  is: `a list of ${is}, such as ['${kind}-0123456789abcdef0']`,
  fits: (value) =>
    texts.fits(value) &&
    (value as string[]).length > 0 &&
    (value as string[]).every((one) => id(kind).test(one)),
})

const zoneExpected: Expected = {
  is: "a zone, such as 'eu-central-1a'",
  fits: (value) => typeof value === 'string' && /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/.test(value),
}

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
  zone: zoneExpected,
  endpoints: having<EndpointOptions>(endpointList),
}

export const vpcExpected: Expected = having<VpcOptions>(vpcList)

const one = (kind: string): Expected => ({
  is: `an id such as '${kind}-0123456789abcdef0'`,
  fits: (value) => typeof value === 'string' && id(kind).test(value),
})

/** Nothing of a JDBC address may say who connects. */
const jdbcUrl: Expected = {
  is: "an address such as 'jdbc:postgresql://host:5432/shop', without user and password",
  secret: true,
  fits: (value) =>
    typeof value === 'string' &&
    /^jdbc:(postgresql|mysql|sqlserver):\/\/[^@\s]+$/.test(value) &&
    !/user|password|pwd/i.test(value),
}

const connectionList: OptionList<ConnectionOptions> = {
  url: needed(jdbcUrl),
  secret: needed({
    is: 'the name of a secret',
    fits: (value) => typeof value === 'string' && /^[A-Za-z0-9/_+=.@-]{1,512}$/.test(value),
  }),
  subnet: needed(one('subnet')),
  zone: needed(zoneExpected),
  securityGroups: needed(ids('sg', 'security groups')),
}

export const connections: Expected = {
  is: 'connections by name, each with url, secret, subnet, zone and securityGroups',
  fits: (value) =>
    object.fits(value) &&
    Object.keys(value as object).every((name) => /^[a-z][a-z0-9_-]*$/.test(name)),
  each: connectionList,
  advise: () =>
    "Names have lower-case letters, digits, _ and -. Write { shop: { url: 'jdbc:postgresql://host:5432/shop', secret: 'shop/db', subnet: 'subnet-…', zone: 'eu-central-1a', securityGroups: ['sg-…'] } }; user and password are in the secret.",
}

/**
 * RPUs of a warehouse at most:
 * https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html
 */
export const MOST_CAPACITY = 1024

export const redshiftExpected: Expected = having<RedshiftOptions>({
  subnets: needed(ids('subnet', 'subnets')),
  securityGroups: needed(ids('sg', 'security groups')),
  maxCapacity: {
    is: `a multiple of 8 up to ${MOST_CAPACITY}`,
    fits: (value) =>
      typeof value === 'number' && value % 8 === 0 && value >= 8 && value <= MOST_CAPACITY,
  },
  capacity: {
    is: '4, 8, or a multiple of 8 up to 512',
    fits: (value) =>
      value === 4 || (typeof value === 'number' && value % 8 === 0 && value >= 8 && value <= 512),
  },
})
