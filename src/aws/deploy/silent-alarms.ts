import type { AwsDeploy } from '../options/aws.js'
import { IDS } from '../template/context.js'
import type { Before } from './survey.js'

/**
 * Alarms that would reach no one: they have no address, or one that has not been confirmed since it
 * was given. Who subscribed to the topic in another way is not asked.
 *
 * @returns what is to be said of it.
 */
export function silentAlarms(
  { alarmEmail }: AwsDeploy,
  prefix: string,
  before: readonly Pick<Before, 'template'>[],
): string[] {
  const there = Object.assign({}, ...before.map(({ template }) => template?.Resources))
  if (alarmEmail === undefined)
    return IDS.topic in there
      ? []
      : [
          `alarms reach no one. Give an address, alarmEmail: 'data@example.com', or subscribe to the topic ${prefix}-alarms`,
        ]
  return there.AlarmsEmail?.Properties.Endpoint === alarmEmail
    ? []
    : [`AWS sends a letter to ${alarmEmail}: no alarm arrives there before its link is followed`]
}
