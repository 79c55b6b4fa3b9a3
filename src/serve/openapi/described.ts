import { z } from 'zod'

/** An answer of a route: what its body is, by the type that a client accepts. */
export interface DescribedAnswer {
  description: string
  /** `undefined` for bytes, and for texts that are no JSON. */
  content?: Readonly<Record<string, z.ZodType | undefined>>
}

/** A route as clients are to know it, by the schemas that requests are held against. */
export interface DescribedRoute {
  summary: string
  /** Who is answered: a principal, whoever has a token that the definition names, or everybody. */
  access: 'principal' | 'token' | 'anyone'
  /** Numbers and texts of the query string, and headers. */
  query?: z.ZodObject
  headers?: z.ZodObject
  body?: { schema: z.ZodType | undefined; type?: string }
  answers: Readonly<Record<string, DescribedAnswer>>
}

/** Routes by their method and path: `GET /v1/queries/:id`. */
export type DescribedRoutes = Readonly<Record<string, DescribedRoute>>

/** An answer that is JSON. */
export const json = (description: string, schema: z.ZodType): DescribedAnswer => ({
  description,
  content: { 'application/json': schema },
})

/** What the server itself refuses. */
export const refused = (description: string): DescribedAnswer =>
  json(description, z.object({ error: z.string() }))

/** What any route of the server may answer, before it is asked. */
export const others = {
  403: refused('Requests from pages of other sites are refused'),
  421: refused('The Host header names another server'),
  503: refused('Too many requests are being answered: come again after Retry-After seconds'),
}
