import fc from 'fast-check'
import { turn } from './effort.js'

/** Neighbours among turns have seeds far from each other (Knuth's multiplicative hash). */
const seed = Math.imul(Number(process.env.MORAINE_SEED ?? turn), 0x9e3779b1)

/*
 * Properties that name no seed of their own have the one of this turn: what fails does so again
 * with MORAINE_TURN, and when `.ci/run` tries it once more.
 */
fc.configureGlobal({ seed })
