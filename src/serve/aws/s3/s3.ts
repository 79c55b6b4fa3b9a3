import { brokenOff } from '../../../query/formats/broken-off.js'
import type { Caller } from '../../../query/service/request.js'
import { AwsError } from '../protocol/failure.js'
import { document, textsOf, type Xml } from '../protocol/xml.js'
import { partsOf } from '../signature/canonical.js'
import { LAKE_BUCKET, type LakeFiles } from './lake-files.js'
import { listing } from './listing.js'
import {
  checkExpected,
  type Expected,
  noSuchKey,
  type ObjectHead,
  type ObjectStore,
  type ObjectStores,
  type StoredObject,
} from './store.js'
import type { Uploads } from './uploads.js'

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'
/** Bytes of a request that lists what is to be deleted, or the parts of an upload. */
const LARGEST_LIST = 2 ** 20

/** Where the files of tables are that clients have made. */
const EXTERNAL = 'external/'

export interface S3Parts {
  stores: ObjectStores
  lake: LakeFiles
  uploads: Uploads
}

/** A request for S3 whose sender is known. */
export interface S3Request {
  method: string
  target: string
  header: (name: string) => string | undefined
  body: AsyncIterable<Uint8Array>
  caller: Caller
}

export interface S3Answer {
  status: number
  headers?: Record<string, string>
  body?: string | Uint8Array | AsyncIterable<Uint8Array>
}

interface Site extends S3Request {
  bucket: string
  key: string
  query: ReadonlyMap<string, string>
  store: ObjectStore
  parts: S3Parts
}

/** Answers a request for S3, in path style. */
export async function s3(request: S3Request, parts: S3Parts): Promise<S3Answer> {
  const { path, pairs } = partsOf(request.target)
  const [bucket = '', ...rest] = path.slice(1).split('/').map(decodeURIComponent)
  const key = rest.join('/')
  const site = {
    ...request,
    bucket,
    key,
    query: new Map(pairs),
    store: parts.stores.of(request.caller),
    parts,
  }
  const { method } = request
  if (bucket === '') {
    if (method !== 'GET') throw notAllowed()
    return answer('ListAllMyBucketsResult', {
      Owner: { ID: request.caller.name, DisplayName: request.caller.name },
      Buckets: {
        Bucket: [...(await site.store.buckets()), LAKE_BUCKET].map((Name) => ({
          Name,
          CreationDate: '2020-01-01T00:00:00.000Z',
        })),
      },
    })
  }
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.')
  if (Buffer.byteLength(key) > 1024 || key.includes('\0'))
    throw new AwsError('KeyTooLongError', 'Your key is too long')
  const odd = [
    'acl',
    'policy',
    'tagging',
    'cors',
    'lifecycle',
    'website',
    'replication',
    'notification',
    'object-lock',
    'select',
  ].find((one) => site.query.has(one))
  if (odd !== undefined)
    throw new AwsError('NotImplemented', `?${odd} is not served by Moraine`, { status: 501 })
  if (bucket === LAKE_BUCKET) return lakeObject(site)
  if (key === '') return bucketRequest(site)
  return objectRequest(site)
}

/**
 * Files of the lake's tables can be read. None is deleted here, which is refused; but of tables
 * that clients have made and dropped, nothing is there any more, so that they may clean up.
 */
async function lakeObject(site: Site): Promise<S3Answer> {
  const { method, caller, key, parts } = site
  const refuseDeleting = async (one: string) => {
    if (!one.startsWith(EXTERNAL) || (await parts.lake.isShown(caller, one))) throw denied()
  }
  if (method === 'POST' && site.query.has('delete')) return deleteMany(site, refuseDeleting)
  if (method === 'DELETE') {
    await refuseDeleting(key)
    return { status: 204 }
  }
  if (key === '' && method === 'HEAD') return { status: 200 }
  if (method !== 'GET' && method !== 'HEAD') throw denied()
  if (key === '') {
    const prefix = site.query.get('prefix') ?? ''
    if (await parts.lake.hasFilesUnder(caller, prefix))
      throw denied('The files of the lake are not listed: read its tables')
    // Clients look there for files of tables that they made, to delete them before the tables.
    return listing(site, answer)
  }
  const file = await parts.lake.open(caller, key)
  if (!file) throw noSuchKey()
  const head = {
    size: file.size,
    etag: 'lake',
    modified: '2020-01-01T00:00:00Z',
    contentType: 'binary/octet-stream',
    metadata: {},
  }
  return ranged(site, head, file.read)
}

async function bucketRequest(site: Site): Promise<S3Answer> {
  const { method, bucket, query, store, parts, caller } = site
  if (method === 'HEAD') return { status: 200, headers: { 'x-amz-bucket-region': 'us-east-1' } }
  if (method === 'PUT') return { status: 200, headers: { location: `/${bucket}` } }
  if (method === 'DELETE') {
    if ((await store.list(bucket, '')).length > 0)
      throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty', {
        status: 409,
      })
    return { status: 204 }
  }
  if (method === 'POST' && query.has('delete'))
    return deleteMany(site, (key) => store.delete(bucket, key))
  if (method !== 'GET') throw notAllowed()
  if (query.has('location')) return answer('LocationConstraint', 'us-east-1')
  if (query.has('versioning')) return answer('VersioningConfiguration', {})
  if (query.has('uploads'))
    return answer('ListMultipartUploadsResult', {
      Bucket: bucket,
      Upload: parts.uploads.list(caller, bucket),
    })
  return listing(site, answer)
}

async function deleteMany(
  site: Site,
  remove: (key: string) => Promise<unknown>,
): Promise<S3Answer> {
  const source = await textOf(site.body)
  const keys = textsOf(source, 'Key')
  if (keys.length === 0 || keys.length > 1000)
    throw new AwsError('MalformedXML', 'There must be 1 to 1000 keys')
  const done: Xml[] = []
  const failed: Xml[] = []
  for (const Key of keys)
    try {
      await remove(Key)
      done.push({ Key })
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      failed.push({ Key, Code: error.code, Message: error.message })
    }
  const isQuiet = /<Quiet>true<\/Quiet>/.test(source)
  return answer('DeleteResult', { Deleted: isQuiet ? [] : done, Error: failed })
}

async function objectRequest(site: Site): Promise<S3Answer> {
  const { method, bucket, key, query, store } = site
  if (query.has('uploadId') || (method === 'POST' && query.has('uploads')))
    return uploadRequest(site)
  if (method === 'GET' || method === 'HEAD') {
    const found = await store.get(bucket, key)
    if (!found) throw noSuchKey()
    return ranged(site, found, await readerOf(site, found))
  }
  if (method === 'DELETE') {
    await store.delete(bucket, key)
    return { status: 204 }
  }
  if (method !== 'PUT') throw notAllowed()
  const expected = expectedIn(site)
  // Before its bytes have come, and again when they are there: another may have been quicker.
  checkExpected(await store.get(bucket, key), expected)
  const source = site.header('x-amz-copy-source')
  if (source === undefined) {
    const object = await store.put(bucket, key, site.body, { ...headOf(site), expected })
    return { status: 200, headers: { etag: `"${object.etag}"` } }
  }
  const { bytes, head } = await copied(site, source)
  const object = await store.put(bucket, key, bytes, { ...head, expected })
  return answer('CopyObjectResult', { LastModified: object.modified, ETag: `"${object.etag}"` })
}

/** What is copied: an object of the same caller, or a file of a table that it may read. */
async function copied(
  site: Site,
  source: string,
): Promise<{ bytes: AsyncIterable<Uint8Array>; head: ObjectHead }> {
  const { store, parts, caller } = site
  const [bucket = '', ...rest] = decodeURIComponent(source)
    .replace(/^\//, '')
    .replace(/\?versionId=.*$/, '')
    .split('/')
  const key = rest.join('/')
  const own = site.header('x-amz-metadata-directive') === 'REPLACE' ? headOf(site) : undefined
  if (bucket === LAKE_BUCKET) {
    const file = await parts.lake.open(caller, key)
    if (!file) throw noSuchKey()
    return { bytes: file.read(0, file.size - 1), head: own ?? {} }
  }
  const found = await store.get(bucket, key)
  if (!found) throw noSuchKey()
  const read = await readerOf(site, found)
  return {
    bytes: read(0, found.size - 1),
    head: own ?? { contentType: found.contentType, metadata: found.metadata },
  }
}

/** What reads a part of an object, which may be a file of the lake. */
async function readerOf({ store, parts, caller }: Site, object: StoredObject): Promise<Read> {
  if (!object.link) return (from, to) => store.read(object, from, to)
  const file = await parts.lake.linked(caller, object.link)
  if (!file) throw noSuchKey()
  return file.read
}

type Read = (from: number, to: number) => AsyncIterable<Uint8Array>

async function uploadRequest(site: Site): Promise<S3Answer> {
  const {
    method,
    bucket,
    key,
    query,
    caller,
    store,
    parts: { uploads },
  } = site
  const id = query.get('uploadId') ?? ''
  if (method === 'POST' && query.has('uploads'))
    return answer('InitiateMultipartUploadResult', {
      Bucket: bucket,
      Key: key,
      UploadId: await uploads.begin(caller, { bucket, key }, headOf(site), store),
    })
  const upload = uploads.get(caller, id, bucket, key)
  if (method === 'PUT') {
    const number = Number(query.get('partNumber'))
    if (!Number.isInteger(number) || number < 1 || number > 10_000)
      throw new AwsError('InvalidArgument', 'partNumber must be from 1 to 10000')
    const source = site.header('x-amz-copy-source')
    const bytes = source === undefined ? site.body : (await copied(site, source)).bytes
    const etag = await uploads.addPart(upload, number, bytes, store)
    return source === undefined
      ? { status: 200, headers: { etag: `"${etag}"` } }
      : answer('CopyPartResult', { ETag: `"${etag}"` })
  }
  if (method === 'DELETE') {
    await uploads.abort(upload, store)
    return { status: 204 }
  }
  if (method === 'GET')
    return answer('ListPartsResult', {
      Bucket: bucket,
      Key: key,
      UploadId: id,
      IsTruncated: false,
      Part: uploads.parts(upload),
    })
  if (method !== 'POST') throw notAllowed()
  const source = await textOf(site.body)
  const wanted = textsOf(source, 'PartNumber').map(Number)
  const etags = textsOf(source, 'ETag').map((one) => one.replaceAll('"', ''))
  const whole = { ...upload, head: { ...upload.head, expected: expectedIn(site) } }
  const object = await uploads.complete(whole, wanted, etags, store)
  return answer('CompleteMultipartUploadResult', {
    Location: `/${bucket}/${key}`,
    Bucket: bucket,
    Key: key,
    ETag: `"${object.etag}"`,
  })
}

/** What the object that is put there takes the place of. */
function expectedIn({ header }: S3Request): Expected | undefined {
  const match = header('if-match')
  if (match !== undefined) return { etag: match.replaceAll('"', '') }
  const none = header('if-none-match')
  if (none === undefined || none === '*') return none && 'nothing'
  throw new AwsError('NotImplemented', 'If-None-Match can be * alone', { status: 501 })
}

function headOf({ header }: S3Request): ObjectHead {
  const contentType = header('content-type')
  return contentType === undefined ? {} : { contentType }
}

type Described = Pick<StoredObject, 'size' | 'etag' | 'modified' | 'contentType'>

/** An object, or the part of it that is asked for. */
function ranged(
  site: Site,
  object: Described,
  read: (from: number, to: number) => AsyncIterable<Uint8Array>,
): S3Answer {
  const { size, etag, modified, contentType } = object
  const headers: Record<string, string> = {
    etag: `"${etag}"`,
    'last-modified': new Date(modified).toUTCString(),
    'content-type': contentType,
    'accept-ranges': 'bytes',
  }
  const range = /^bytes=(\d*)-(\d*)$/.exec(site.header('range') ?? '')
  const isHead = site.method === 'HEAD'
  const body = (from: number, to: number) =>
    brokenOff(read(from, to), 'an object could not be read')
  if (!range || (range[1] === '' && range[2] === ''))
    return {
      status: 200,
      headers: { ...headers, 'content-length': String(size) },
      ...(isHead ? {} : { body: body(0, size - 1) }),
    }
  const [, first = '', last = ''] = range
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (from >= size || from > to)
    throw new AwsError('InvalidRange', 'The requested range is not satisfiable', { status: 416 })
  const partial = {
    ...headers,
    'content-range': `bytes ${from}-${to}/${size}`,
    'content-length': String(to - from + 1),
  }
  return { status: 206, headers: partial, ...(isHead ? {} : { body: body(from, to) }) }
}

function answer(root: string, value: Xml): S3Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: document(root, value, NAMESPACE),
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body) {
    size += part.length
    if (size > LARGEST_LIST)
      throw new AwsError('MalformedXML', `The body has more than ${LARGEST_LIST} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

const denied = (
  why = 'The files of the lake are only read here: its tables change by statements',
) => new AwsError('AccessDenied', why, { status: 403 })
const notAllowed = () =>
  new AwsError('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    status: 405,
  })
