import { queryRoutes } from '../query/http/routes.js'
import { documentOf } from './document.js'
import { serverRoutes } from './server-routes.js'

/** What a server answers, of the routes that it has. */
export const serverDocument = (routes: Parameters<typeof documentOf>[0]) =>
  documentOf(routes, { ...serverRoutes, ...queryRoutes })
