import type { Hono } from 'hono'
import type { Storage } from '../../../storage/storage.js'
import type { Branches } from '../branches.js'
import type { Caller, Noted } from '../caller.js'
import type { Credentials } from '../delegation/credentials.js'
import type { Signing } from '../delegation/signing.js'
import type { MetadataFiles } from '../files.js'
import type { Locations } from '../locations.js'
import type { Addresses } from './addresses.js'
import type { Bodies } from './bodies.js'

/** What requests are answered with. */
export interface Rooms {
  storage: Storage
  files: MetadataFiles
  locations: Locations
  branches: Branches
  addresses: Addresses
  bodies: Bodies
  credentials: Credentials
  signing: Signing
}

/** An application that knows who asks. */
export type App = Hono<{ Variables: { caller: Caller; noted: Noted } }>
