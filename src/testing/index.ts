/**
 * For those who write connectors and storages: a storage in memory, and the suite that every storage
 * must pass.
 */
export { MemoryStorage } from '../storage/memory.js'
export type { Storage, StoredObject } from '../storage/storage.js'
export { type ContractCase, storageContract } from './storage-contract.js'
