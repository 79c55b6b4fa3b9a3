import { AwsError } from '../protocol/failure.js'
import type { Xml } from '../protocol/xml.js'
import { encoded } from '../signature/canonical.js'
import type { ObjectStore, StoredObject } from './store.js'

/** Lists the objects of a bucket, in either version of the protocol. */
export async function listing<T>(
  {
    bucket,
    query,
    store,
  }: { bucket: string; query: ReadonlyMap<string, string>; store: ObjectStore },
  answer: (root: string, value: Xml) => T,
): Promise<T> {
  const isSecond = query.get('list-type') === '2'
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const asked = query.get('max-keys') ?? '1000'
  if (!/^\d{1,9}$/.test(asked)) throw new AwsError('InvalidArgument', 'max-keys is not a number')
  const most = Math.min(1000, Number(asked))
  const token = query.get('continuation-token')
  const after = isSecond
    ? token === undefined
      ? (query.get('start-after') ?? '')
      : Buffer.from(token, 'base64url').toString()
    : (query.get('marker') ?? '')
  const all = rolledUp(await store.list(bucket, prefix), prefix, delimiter).filter(
    ({ name }) => name > after,
  )
  const shown = all.slice(0, most)
  const isTruncated = all.length > shown.length && most > 0
  const last = shown.at(-1)?.name ?? ''
  const isUrl = query.get('encoding-type') === 'url'
  const written = (text: string) => (isUrl ? encoded(text).replaceAll('%2F', '/') : text)
  const contents = shown.flatMap(({ object }) => (object ? [contentOf(object, written)] : []))
  const prefixes = shown.flatMap(({ name, object }) => (object ? [] : [{ Prefix: written(name) }]))
  return answer('ListBucketResult', {
    ...{ Name: bucket, Prefix: written(prefix), MaxKeys: most, IsTruncated: isTruncated },
    ...(delimiter === '' ? {} : { Delimiter: written(delimiter) }),
    ...(isUrl ? { EncodingType: 'url' } : {}),
    ...(isSecond
      ? {
          KeyCount: shown.length,
          ...(isTruncated
            ? { NextContinuationToken: Buffer.from(last).toString('base64url') }
            : {}),
        }
      : { Marker: written(after), ...(isTruncated ? { NextMarker: written(last) } : {}) }),
    ...{ Contents: contents, CommonPrefixes: prefixes },
  })
}

interface Listed {
  name: string
  object?: StoredObject
}

/** Keys that go on after a delimiter are shown as one prefix. */
function rolledUp(objects: readonly StoredObject[], prefix: string, delimiter: string): Listed[] {
  const found: Listed[] = []
  for (const object of objects) {
    const at = delimiter === '' ? -1 : object.key.indexOf(delimiter, prefix.length)
    if (at < 0) found.push({ name: object.key, object })
    else {
      const name = object.key.slice(0, at + delimiter.length)
      if (found.at(-1)?.name !== name) found.push({ name })
    }
  }
  return found
}

const contentOf = (
  { key, modified, etag, size }: StoredObject,
  written: (text: string) => string,
) => ({
  ...{
    Key: written(key),
    LastModified: modified,
    ETag: `"${etag}"`,
    Size: size,
    StorageClass: 'STANDARD',
  },
})
