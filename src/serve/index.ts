/** The servers of a lake, as handlers that run anywhere. */
export { openStorage } from '../load/root.js'
export type { AuditedCall } from '../query/audit/call.js'
export { AuditTrail } from './audit/trail.js'
export { catalog } from './rest/catalog.js'
export type { CatalogOptions } from './rest/http/catalog-options.js'
export { openRunRoom, type RoomRequest, type RunRoom, type ServedCatalog } from './run-room.js'
