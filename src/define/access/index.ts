/** Who may do what with a lake, and how much of it: what `lake.ts` says, checked. */
export { accessProblems, oidcProblems, workgroupProblems } from './access-problems.js'
export type { Oidc } from './oidc.js'
export {
  type Granted,
  isPrincipal,
  type Principal,
  type PrincipalOptions,
  principal,
} from './principal.js'
export { isWorkgroup, type Workgroup, type WorkgroupOptions, workgroup } from './workgroup.js'
