import { isObject, type Json, textsOf } from '../../iceberg/spec/updates/json.js'
import { badRequest } from './errors.js'

/** Requirements and updates of a request. */
export function changesIn(request: Json): { requirements: Json[]; updates: Json[] } {
  const part = (name: string) => {
    const list = request[name] ?? []
    if (!Array.isArray(list) || !list.every(isObject)) throw badRequest(`${name} is not a list`)
    return list
  }
  return { requirements: part('requirements'), updates: part('updates') }
}

/** Properties of a request, if it has any. */
export const propertiesOf = (request: Json) =>
  request.properties === undefined || request.properties === null
    ? {}
    : textsOf(request, 'properties')
