import { AthenaClient, CreateWorkGroupCommand } from '@aws-sdk/client-athena'
import { CreateDatabaseCommand, CreateTableCommand, GlueClient } from '@aws-sdk/client-glue'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { aws, template } from '../../src/aws/index.js'
import { bronze, defineLake, silver, t, z } from '../../src/index.js'
import { inbox } from '../../src/source/index.js'
import { type EnforcingCloud, startEnforcingCloud } from '../support/enforcing-cloud.js'
import { Reaching } from '../support/iam/reaching.js'
import { Resolved } from '../support/iam/resolve.js'
import { Staged } from '../support/iam/staged.js'
import { ministackProgram } from '../support/ministack.js'
import { withService } from '../support/services.js'

/**
 * What engineers do, by the action that it takes. The emulator knows no tables of Glue by
 * themselves, nor whose a query of Athena is: see src/aws/template/roles.test.ts.
 */
const NEEDED = [
  ['s3:ListBucket', 'list', 'bronze/one/'],
  ['s3:GetObject', 'read', 'bronze/one/'],
  ['s3:PutObject', 'result', 'engineers/1'],
  ['s3:GetObject', 'answer', 'engineers/1'],
  ['s3:GetBucketLocation', 'place', ''],
  ['glue:GetTable', 'look', 'shop_bronze.one'],
  ['glue:GetTables', 'tables', 'shop_bronze'],
  ['glue:GetPartitions', 'batches', 'shop_bronze.one'],
  ['athena:StartQueryExecution', 'ask', 'shop-engineers'],
] as const

withService('MiniStack', [ministackProgram], () => {
  describe('of two teams', () => {
    let cloud: EnforcingCloud
    let made: Staged
    let analysts: Reaching
    let engineers: Reaching
    beforeAll(async () => {
      cloud = await startEnforcingCloud()
      const place = { account: cloud.account, region: cloud.region, url: cloud.url }
      made = await Staged.make(cloud, new Resolved(template(lake, deploy), place))
      const s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
      for (const layer of ['silver', 'bronze']) {
        const Key = `${layer}/one/one/of-them`
        await s3.send(new PutObjectCommand({ Bucket: made.bucket, Key, Body: 'x' }))
      }
      const secrets = new SecretsManagerClient(cloud.client)
      const secret = { Name: 'lake/token', SecretString: 'open sesame' }
      await secrets.send(new CreateSecretCommand(secret))
      await showTables(cloud)
      const as = async (role: string) => new Reaching(cloud, made, await made.keysOf(role))
      analysts = await as('AnalystsReader')
      engineers = await as('EngineersReader')
    })
    afterAll(() => cloud?.stop())

    it('each reads what was granted to it', async () => {
      await analysts.expectAllowed('read', 'silver/one/')
      await analysts.expectAllowed('list', 'silver/one/')
      await analysts.expectAllowed('look', 'shop_silver.one')
      await analysts.expectAllowed('ask', 'shop-analysts')
      await analysts.expectAllowed('result', 'analysts/1')
    })

    it('each needs every action of its role, without which it is refused', async () => {
      for (const [action, how, what] of NEEDED) {
        await engineers.expectAllowed(how, what)
        const giveBack = await made.without('EngineersReader', action)
        await engineers.expectRefused(how, what)
        await giveBack()
      }
    })

    it('neither reads what the other does, by S3, by Glue or by Athena', async () => {
      for (const folder of ['silver/other/', 'bronze/one/', 'gold/', '_moraine/log/main/'])
        for (const how of ['read', 'list'] as const) await analysts.expectRefused(how, folder)
      for (const how of ['read', 'list'] as const) await engineers.expectRefused(how, 'silver/one/')
      for (const how of ['look', 'batches'] as const)
        await analysts.expectRefused(how, 'shop_bronze.one')
      await engineers.expectRefused('look', 'shop_silver.one')
      await analysts.expectRefused('ask', 'shop-engineers')
      await engineers.expectRefused('ask', 'shop-analysts')
      for (const how of ['result', 'answer'] as const) {
        await analysts.expectRefused(how, 'engineers/1')
        await engineers.expectRefused(how, 'analysts/1')
      }
    })

    it('neither changes anything, or reaches what is no table of the lake', async () => {
      for (const [team, layer] of [
        [analysts, 'silver'],
        [engineers, 'bronze'],
      ] as const) {
        for (const how of ['write', 'remove', 'abort'] as const)
          await team.expectRefused(how, `${layer}/one/`)
        await team.expectRefused('advance', `shop_${layer}.one`)
        await team.expectRefused('look', 'finance.one')
        await team.expectRefused('ask', 'primary')
        await team.expectRefused('send', 'shop-bronze-one')
        await team.expectRefused('secret', 'lake/token')
      }
    })
  })
})

const chain = (name: string) =>
  silver(name, {
    from: bronze(name, { from: inbox({ format: 'jsonl' }) }),
    schema: z.object({ id: t.bigint() }),
    key: 'id',
  })
const deploy = aws({
  region: 'us-east-1',
  secrets: { TOKEN: 'lake/token' },
  teams: { analysts: { read: ['silver.one'] }, engineers: { read: ['bronze'] } },
})
const lake = defineLake({ name: 'shop', deploy, datasets: [chain('one'), chain('other')] })

/** What Glue shows of the lake, and of somebody else's. */
async function showTables(cloud: EnforcingCloud): Promise<void> {
  const glue = new GlueClient(cloud.client)
  for (const Name of ['finance', 'shop_silver', 'shop_bronze']) {
    await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name } }))
    await glue.send(new CreateTableCommand({ DatabaseName: Name, TableInput: { Name: 'one' } }))
  }
  const athena = new AthenaClient(cloud.client)
  for (const team of ['analysts', 'engineers'])
    await athena.send(new CreateWorkGroupCommand({ Name: `shop-${team}` }))
}
