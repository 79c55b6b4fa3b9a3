import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scopeText, sha256 } from '../../../src/serve/aws/signature/canonical.js'
import { type ServedLake, servedLake } from './served.js'
import { signatureOf, timesOf } from './signed.js'

let lake: ServedLake
beforeAll(async () => {
  lake = await servedLake()
})
afterAll(() => lake.close())

/** A request that is signed with a right key, whatever else it is. */
async function send(
  service: string,
  method: string,
  target: string,
  { body = '', headers = {} }: { body?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; text: string }> {
  const { time, day } = timesOf(new Date())
  const scope = { day, region: 'us-east-1', service }
  const all: Record<string, string> = {
    ...headers,
    host: new URL(lake.url).host,
    'x-amz-date': time,
    ...(service === 's3' ? { 'x-amz-content-sha256': sha256(body) } : {}),
  }
  const names = Object.keys(all).sort()
  const request = { method, target, header: (name: string) => all[name] }
  const signature = signatureOf(request, { time, scope, names, payload: sha256(body) })
  const { host: _, ...sent } = all
  const authorization = `AWS4-HMAC-SHA256 Credential=AKIABOSS/${scopeText(scope)}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const answer = await fetch(lake.url + target, {
    method,
    headers: { ...sent, authorization },
    ...(hasBody ? { body } : {}),
  })
  return { status: answer.status, text: await answer.text() }
}

const operations = [
  ...[
    'StartQueryExecution',
    'GetQueryExecution',
    'GetQueryResults',
    'ListQueryExecutions',
    'GetWorkGroup',
    'ListDatabases',
  ],
  ...[
    'ListTableMetadata',
    'CreateNamedQuery',
    'CreatePreparedStatement',
    'BatchGetQueryExecution',
    'StopQueryExecution',
  ],
  ...[
    'GetTable',
    'GetTables',
    'GetDatabase',
    'SearchTables',
    'GetPartitions',
    'CreateDatabase',
    'DeleteTable',
    '__proto__',
    'toString',
  ],
]
const fields = [
  'QueryString',
  'QueryExecutionId',
  'WorkGroup',
  'NextToken',
  'MaxResults',
  'DatabaseName',
  'Name',
  'TableName',
  'Expression',
  'CatalogName',
  'ExecutionParameters',
  'QueryExecutionContext',
  'ResultConfiguration',
  'ClientRequestToken',
  'DatabaseInput',
  '__proto__',
]
const json = fc.dictionary(fc.constantFrom(...fields), fc.jsonValue({ maxDepth: 3 }), {
  maxKeys: 6,
})

describe('requests that are signed, and hostile', () => {
  it('to Athena and Glue are answered or refused, and never break the server', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...operations),
        fc.oneof(
          json.map((one) => JSON.stringify(one)),
          fc.string(),
        ),
        async (name, body) => {
          for (const [service, prefix] of [
            ['athena', 'AmazonAthena'],
            ['glue', 'AWSGlue'],
          ] as const) {
            const headers = {
              'x-amz-target': `${prefix}.${name}`,
              'content-type': 'application/x-amz-json-1.1',
            }
            const { status, text } = await send(service, 'POST', '/', { body, headers })
            expect([200, 400, 403, 404, 409], text).toContain(status)
            expect(() => JSON.parse(text)).not.toThrow()
          }
        },
      ),
      { numRuns: 120 },
    )
    expect(lake.errors).toEqual([])
  })

  it('find names by patterns of many stars, and the server answers others meanwhile', async () => {
    const found = async (Expression: string) => {
      const body = JSON.stringify({ DatabaseName: 'silver', Expression })
      const headers = { 'x-amz-target': 'AmazonAthena.ListTableMetadata' }
      const { text } = await send('athena', 'POST', '/', { body, headers })
      return (JSON.parse(text).TableMetadataList as { Name: string }[]).map(({ Name }) => Name)
    }
    expect(await found('S*E.*s|event?')).toEqual(['sales'])
    expect(await found('%vent%|nothing')).toEqual(['events'])
    expect(await found('.ales')).toEqual([])
    for (const many of ['*', '.*', '%', '*e', '%s'])
      expect(await found(`${many.repeat(60)}0`)).toEqual([])
    expect(await found('*'.repeat(256))).toEqual(['events', 'sales'])
  })

  it('to S3 reach no file but the objects of who asks', async () => {
    const paths = [
      '/..%2f..%2flake.ts',
      '/mine/..%2f..%2f..%2flake.ts',
      '/mine/%2e%2e/%2e%2e/etc/passwd',
      '/moraine-lake/lake.ts',
      '/moraine-lake/..%2flake.ts',
      '/moraine-lake/_moraine/log/main/00000001.json',
      '/moraine-lake/silver/sales/metadata/..%2fdata',
      '/moraine-lake/bronze%2f..%2fsilver',
      '/a%00b/c',
      '/mine/%ff',
      '//mine//x',
      '/mine?list-type=2&continuation-token=%2e%2e',
      '/mine?delete',
      '/mine/x?uploadId=../../x',
    ]
    for (const path of paths)
      for (const method of ['GET', 'PUT', 'DELETE', 'POST']) {
        const { status, text } = await send('s3', method, path, { body: 'x' }).catch(
          (error: Error) => ({ status: 0, text: error.message }),
        )
        expect(status, `${method} ${path} ${text}`).toBeLessThan(500)
        expect(text).not.toMatch(/root:|defineLake|"number":/)
      }
    expect(lake.errors).toEqual([])
  })

  it('that are too large or too deep are refused', async () => {
    const headers = { 'x-amz-target': 'AmazonAthena.StartQueryExecution' }
    const long = JSON.stringify({ QueryString: `SELECT '${'x'.repeat(262_144)}'` })
    expect((await send('athena', 'POST', '/', { body: long, headers })).text).toContain(
      'InvalidRequestException',
    )
    const deep = `{"a":${'['.repeat(100)}${']'.repeat(100)}}`
    expect((await send('athena', 'POST', '/', { body: deep, headers })).text).toContain(
      'SerializationException',
    )
    const huge = await send('athena', 'POST', '/', {
      body: 'x'.repeat(2 ** 20 + 1),
      headers,
    }).catch(() => ({ status: 413 }))
    expect(huge.status).toBe(413)
    const many = JSON.stringify({
      QueryString: 'SELECT 1',
      ExecutionParameters: Array.from({ length: 2000 }, () => '1'),
    })
    expect((await send('athena', 'POST', '/', { body: many, headers })).status).toBe(400)
  })
})
