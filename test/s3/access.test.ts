import { PutBucketPolicyCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { moraine, Project } from '../support/project.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

/** Keys that no store knows: whatever is signed with them is refused. */
const nobody = { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'wrong' }

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['open', 'private', 'unlisted']))
    const allow = (Bucket: string, Action: string[]) =>
      client.send(
        new PutBucketPolicyCommand({
          Bucket,
          Policy: JSON.stringify({
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Principal: { AWS: ['*'] },
                Action,
                Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
              },
            ],
          }),
        }),
      )
    await allow('open', ['s3:GetObject', 's3:ListBucket'])
    await allow('unlisted', ['s3:GetObject'])
    for (const Bucket of ['open', 'private', 'unlisted'])
      await client.send(
        new PutObjectCommand({ Bucket, Key: 'in/a.csv', Body: 'id,city\n1,Rome\n' }),
      )
  })
  afterAll(() => server.stop())

  const lake = (path: string) =>
    Project.create({
      'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'shop', datasets: [bronze('rows', { from: files('${path}?endpoint=${server.url}', { anonymous: true }) })] })
`,
    })
  const run = async (path: string) => moraine(['-C', (await lake(path)).folder, 'run'], nobody)

  it('a public bucket is read without credentials: run, preview and crawl', async () => {
    const { stdout, stderr, code } = await run('s3://open/in/')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/bronze.rows\s+1 row/)
    const address = `s3://open/in/a.csv?endpoint=${server.url}`
    const preview = await moraine(['preview', `${address}&anonymous=true`], nobody)
    expect(preview.stdout).toMatch(/1\s+Rome/)
    const signed = await moraine(['preview', address], nobody)
    expect(signed.code).not.toBe(0)
    const project = await Project.create({})
    const crawl = [
      '-C',
      project.folder,
      'crawl',
      `s3://open/in/?endpoint=${server.url}&anonymous=true`,
    ]
    expect((await moraine(crawl, nobody)).code).toBe(0)
    expect((await moraine(['-C', project.folder, 'run'], nobody)).stdout).toMatch(/1 row/)
  })

  it('what is not public is denied in words that name the permission', async () => {
    expect(
      (await run('s3://private/in/')).stdout + (await run('s3://private/in/')).stderr,
    ).toContain(
      "Can't list s3://private/in/: access denied: anonymous access does not include s3:ListBucket",
    )
    const path = `s3://private/in/a.csv?endpoint=${server.url}&anonymous=true`
    const { stderr } = await moraine(['preview', path], nobody)
    expect(stderr).toContain(
      "Can't look at s3://private/in/a.csv: access denied: anonymous access does not include s3:GetObject",
    )
  })

  it('credentials that may not do something are told what they lack', async () => {
    const may = async (...Action: string[]) => {
      const Policy = JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action, Resource: ['arn:aws:s3:::*'] }],
      })
      const { accessKeyId, secretAccessKey, sessionToken } = await fromTemporaryCredentials({
        masterCredentials: {
          accessKeyId: minioKeys.AWS_ACCESS_KEY_ID,
          secretAccessKey: minioKeys.AWS_SECRET_ACCESS_KEY,
        },
        params: { RoleArn: 'arn:aws:iam::000000000000:role/x', RoleSessionName: 'x', Policy },
        clientConfig: { endpoint: server.url, region: 'us-east-1' },
      })()
      return {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_SESSION_TOKEN: sessionToken ?? '',
      }
    }
    const preview = async (...actions: string[]) =>
      (
        await moraine(
          ['preview', `s3://private/in/a.csv?endpoint=${server.url}`],
          await may(...actions),
        )
      ).stderr
    // The answer to HEAD has no text: "Unknown: UnknownError" is all that the library knows.
    expect(await preview('s3:ListBucket')).toContain(
      "Can't look at s3://private/in/a.csv: access denied (403): it needs s3:GetObject",
    )
    expect(await preview('s3:GetObject')).toBe('')
    const project = await Project.create({
      'lake.ts':
        "import { bronze, defineLake } from 'moraine'\nimport { files } from 'moraine/sources'\nexport default defineLake({ name: 'a', datasets: [bronze('a', { from: files('a.csv') })] })\n",
      'a.csv': 'id\n1\n',
    })
    const root = `s3://private/lake?endpoint=${server.url}`
    const write = await moraine(
      ['-C', project.folder, '--root', root, 'run'],
      await may('s3:GetObject', 's3:ListBucket'),
    )
    expect(write.stdout + write.stderr).toContain('access denied (403): it needs s3:PutObject')
  })
})
