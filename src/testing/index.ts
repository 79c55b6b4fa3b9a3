/**
 * For those who test their datasets, and for those who write a storage: a storage in memory, and the
 * promises that each one must keep.
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
