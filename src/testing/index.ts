/**
 * For tests of datasets, and for new storage implementations: a storage in memory, and the contract
 * that every storage must fulfil.
 */
export { MemoryStorage } from '../storage/memory.js'
export type { Storage, StoredObject } from '../storage/storage.js'
export {
  type DatasetTest,
  datasetTest,
  type Example,
  expectDataset,
  type Given,
  given,
} from './dataset-test.js'
export { type ContractCase, storageContract } from './storage-contract.js'
