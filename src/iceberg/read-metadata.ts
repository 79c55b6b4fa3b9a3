import { MoraineError, messageOf } from '../errors.js'
import { remedyFor } from '../storage/remedy.js'
import { parseJson } from './json.js'
import type { TableMetadata } from './spec/metadata.js'
import type { Json } from './spec/updates/json.js'
import { completed } from './spec/updates/metadata-json.js'

/**
 * The metadata in a file's text, with what other engines may leave out.
 *
 * @throws MoraineError of kind `corrupt` when they are not those of a table of format version 2.
 */
export function metadataIn(text: string, file: string): TableMetadata {
  let read: Json
  try {
    read = parseJson(text) as Json
  } catch (cause) {
    throw damaged(file, 'it is not JSON', cause)
  }
  const version = read['format-version']
  if (version !== 2)
    throw new MoraineError(
      'corrupt',
      `${file} has Iceberg format version ${version}; version 2 is supported`,
    )
  try {
    return completed(read) as TableMetadata
  } catch (cause) {
    throw damaged(file, messageOf(cause), cause)
  }
}

const damaged = (file: string, why: string, cause: unknown) =>
  new MoraineError('corrupt', `${file} is damaged: ${why}`, {
    cause,
    path: file,
    hint: remedyFor(file),
  })
