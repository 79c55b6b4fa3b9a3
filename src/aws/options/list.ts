import { secondsOf } from '../../define/interval.js'
import { nearest } from '../../define/nearest.js'
import { counting, either, flag, object, oneOf, texts } from '../../define/options/expected.js'
import { type Expected, having, needed, type OptionList } from '../../define/options/options.js'
import { bytesOf } from '../../define/size.js'
import { connections, redshiftExpected, vpcExpected } from './network.js'
import type { AwsOptions, FunctionOptions, GlueOptions } from './options.js'
import { teams } from './teams.js'

const MIB = 2 ** 20

/** Limits of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const lambdaSize = (least: number): Expected => ({
  is: `a size from ${least}MiB to 10240MiB`,
  fits: (value) => {
    const bytes = typeof value === 'string' ? bytesOf(value) : undefined
    return bytes !== undefined && bytes >= least * MIB && bytes <= 10_240 * MIB
  },
  advise: (value) => (typeof value === 'number' ? 'Include the unit, in quotes.' : undefined),
})

const functionList: OptionList<FunctionOptions> = {
  memory: lambdaSize(256),
  disk: lambdaSize(512),
  timeout: {
    is: "a duration of at most 15 minutes, such as '5m'",
    fits: (value) => typeof value === 'string' && (secondsOf(value) ?? 901) <= 900,
    advise: () => 'Longer runs go on in the next invocation.',
  },
}

const glueList: OptionList<GlueOptions> = {
  workers: {
    is: 'a number of workers, from 2 to 299',
    fits: (value) => counting.fits(value) && (value as number) >= 2 && (value as number) <= 299,
  },
  worker: oneOf('G.1X', 'G.2X', 'G.4X', 'G.8X'),
  version: oneOf('5.0', '6.0'),
  timeout: {
    is: "a duration from a minute to 7 days, such as '4h'",
    fits: (value) =>
      typeof value === 'string' &&
      (secondsOf(value) ?? 0) >= 60 &&
      (secondsOf(value) ?? 0) <= 7 * 86_400,
  },
  from: {
    is: "a size, such as '10GiB'",
    fits: (value) => typeof value === 'string' && bytesOf(value) !== undefined,
  },
}

/** As regions are called, those as well that there are not yet. */
const REGION =
  /^[a-z]{2}(-(gov|iso[a-z]?))?-(north|south|east|west|central|northeast|northwest|southeast|southwest)-\d$/

/** Regions to which a hint may lead. */
const REGIONS = [
  ...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'ca-west-1'],
  ...['mx-central-1', 'sa-east-1', 'eu-central-1', 'eu-central-2', 'eu-west-1', 'eu-west-2'],
  ...['eu-west-3', 'eu-north-1', 'eu-south-1', 'eu-south-2', 'il-central-1', 'me-central-1'],
  ...['me-south-1', 'af-south-1', 'ap-east-1', 'ap-south-1', 'ap-south-2', 'ap-northeast-1'],
  ...['ap-northeast-2', 'ap-northeast-3', 'ap-southeast-1', 'ap-southeast-2', 'ap-southeast-3'],
]

const region: Expected = {
  is: "a region of AWS, such as 'eu-central-1'",
  fits: (value) => typeof value === 'string' && REGION.test(value),
  advise: (value) => {
    const similar = typeof value === 'string' ? nearest(value, REGIONS) : undefined
    return similar ? `Did you mean '${similar}'?` : undefined
  },
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const bucketName: Expected = {
  is: 'the name of a bucket: 3 to 63 lower-case letters, digits and -',
  fits: (value) => typeof value === 'string' && isBucketName(value),
  advise: (value) =>
    object.fits(value)
      ? 'A lake lies in one bucket, its log and all layers: give one name. Who reads which layer, teams say.'
      : undefined,
}

function isBucketName(name: string): boolean {
  return (
    /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name) &&
    !/^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|--x-s3)$/.test(name)
  )
}

const resourceName: Expected = {
  is: 'a name of lower-case letters, digits and -, which begins with a letter',
  fits: (value) => typeof value === 'string' && /^[a-z](-?[a-z0-9])*$/.test(value),
}

/** An object whose values are texts, by names of a kind. */
const named = (is: string, name: RegExp, value: (text: string) => boolean): Expected => ({
  is,
  fits: (given) =>
    object.fits(given) &&
    Object.entries(given as object).every(
      ([key, text]) => name.test(key) && typeof text === 'string' && value(text),
    ),
})

const VARIABLE = /^[A-Za-z][A-Za-z0-9_]*$/

const secretReference = /^[A-Za-z0-9/_+=.@-]{1,512}(#[A-Za-z0-9_.-]+)?$/

export const optionList: OptionList<AwsOptions> = {
  region: needed(region),
  account: {
    is: "the number of an account, such as '123456789012'",
    fits: (value) => typeof value === 'string' && /^\d{12}$/.test(value),
    advise: (value) => (typeof value === 'number' ? 'Put it in quotes.' : undefined),
  },
  name: resourceName,
  bucket: bucketName,
  encryption: oneOf('kms', 's3'),
  noncurrent: {
    is: "a number of days, such as '30d'",
    fits: (value) =>
      typeof value === 'string' &&
      (secondsOf(value) ?? 0) % 86_400 === 0 &&
      (secondsOf(value) ?? 0) > 0,
  },
  archiveLock: flag,
  architecture: oneOf('arm64', 'x64'),
  functions: having<FunctionOptions>(functionList),
  jobs: {
    is: "options of functions by job, such as { 'bronze.orders': { memory: '4096MiB' } }",
    fits: object.fits,
    each: functionList,
  },
  paused: either('true, false, or a list of jobs', flag, texts),
  environment: {
    ...named("variables with their texts, such as { ORDERS_EVERY: '5m' }", VARIABLE, () => true),
    advise: () => 'Values of secrets belong into Secrets Manager: see secrets.',
  },
  secrets: {
    ...named("names of secrets by variable, such as { SHOP_URL: 'shop/url' }", VARIABLE, (text) =>
      secretReference.test(text),
    ),
    advise: () => 'Give the name of a secret in Secrets Manager, never its value.',
  },
  vpc: vpcExpected,
  databases: {
    is: "what names of databases begin with: lower-case letters, digits and _, such as 'shop_test'",
    fits: (value) => typeof value === 'string' && /^[a-z][a-z0-9_]{0,99}$/.test(value),
  },
  projection: flag,
  catalog: flag,
  teams,
  queries: named(
    "queries by name, such as { 'Top sellers': 'select * from top_sellers' }",
    /^.{1,128}$/,
    (text) => text.trim() !== '' && text.length <= 262_144,
  ),
  quality: flag,
  crawlers: flag,
  connections,
  glue: having<GlueOptions>(glueList),
  redshift: redshiftExpected,
  alarmEmail: {
    is: "an address such as 'data@example.com'",
    fits: (value) => typeof value === 'string' && /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value),
  },
  budget: counting,
  audit: flag,
  tags: named(
    "tags with their texts, such as { team: 'sales' }",
    /^(?!aws:|lake$)[\w+=.:/@ -]{1,128}$/,
    (text) => /^[\w+=.:/@ -]{0,256}$/.test(text),
  ),
}
