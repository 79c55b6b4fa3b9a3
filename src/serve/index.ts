/** The servers of a lake, as handlers that run anywhere. */
export { openStorage } from '../load/root.js'
export { type CatalogOptions, catalog } from './rest/catalog.js'
