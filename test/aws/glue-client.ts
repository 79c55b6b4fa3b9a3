import { glueClient } from '../../src/aws/glue/sdk-client.js'
import type { Ministack } from '../support/ministack.js'

/** A client of a cloud's catalog, as the projection has it. */
export const clientOf = ({ client: { endpoint, region, credentials } }: Ministack) =>
  glueClient({ endpoint, region, credentials })
