import { aws, type Deployment, template } from '../../src/aws/index.js'
import type { AwsOptions } from '../../src/aws/options/options.js'
import type { Lake } from '../../src/define/lake.js'

/** Every option that makes resources, with values that no account has. */
export const everything: AwsOptions = {
  region: 'eu-central-1',
  archiveLock: true,
  audit: true,
  quality: true,
  crawlers: true,
  budget: 100,
  alarmEmail: 'data@example.com',
  catalog: true,
  secrets: { SHOP_URL: 'shop/database#url', MORAINE_TOKEN: 'lake/token' },
  tags: { team: 'sales' },
  queries: { 'Best customers': 'select * from customer_value order by lifetime_value desc' },
  teams: {
    analysts: { read: ['silver', 'gold'] },
    engineers: {
      read: ['bronze', 'silver', 'gold', 'discarded'],
      cutoff: '1TB',
      members: ['arn:aws:iam::123456789012:role/engineers'],
    },
  },
  vpc: {
    subnets: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
    securityGroups: ['sg-0123456789abcdef0'],
    zone: 'eu-central-1a',
    endpoints: { vpc: 'vpc-0123456789abcdef0', routeTables: ['rtb-0123456789abcdef0'] },
  },
  glue: { workers: 20, from: '10GiB' },
  connections: {
    shop: {
      url: 'jdbc:postgresql://shop.internal:5432/shop',
      secret: 'shop/database',
      subnet: 'subnet-0123456789abcdef0',
      zone: 'eu-central-1a',
      securityGroups: ['sg-0123456789abcdef0'],
    },
  },
  redshift: {
    subnets: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
    securityGroups: ['sg-0123456789abcdef0'],
  },
}

export const examples = ['orders', 'tickit', 'tpcds'] as const

/** The templates of an example lake. */
export async function templatesOf(
  example: (typeof examples)[number],
  options: AwsOptions = { region: 'eu-central-1' },
): Promise<Deployment> {
  const { default: lake } = (await import(`../../examples/${example}/lake.ts`)) as { default: Lake }
  return template(lake, aws(options))
}
