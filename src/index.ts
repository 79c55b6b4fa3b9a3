export { z } from 'zod'
export * from './define/index.js'
export {
  DefinitionError,
  type ErrorKind,
  MoraineError,
  type Place,
  type Problem,
} from './errors.js'
