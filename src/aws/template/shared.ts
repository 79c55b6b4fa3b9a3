import type { Resources } from './cfn.js'
import type { Context } from './context.js'
import { alarms } from './services/alarms.js'
import { athena } from './services/athena.js'
import { budgets } from './services/budgets.js'
import { cloudtrail } from './services/cloudtrail.js'
import { glue } from './services/glue.js'
import { kms } from './services/kms.js'
import { logs } from './services/logs.js'
import { readers } from './services/readers.js'
import { redshift, warehouse } from './services/redshift.js'
import { s3 } from './services/s3.js'
import { scheduleGroup } from './services/schedules.js'
import { sparkFailures } from './services/spark.js'
import { sqs } from './services/sqs.js'
import { vpc } from './services/vpc.js'

/** What holds data, and what the code needs before anything else is there. */
export function base(context: Context): Resources {
  return { ...kms(context), ...s3(context), ...warehouse(context) }
}

/** What jobs share, and what is made once. */
export function shared(context: Context): Resources {
  const services = [
    ...[logs, sqs, alarms, scheduleGroup, glue],
    ...[athena, readers, cloudtrail, vpc, budgets, redshift, sparkFailures],
  ]
  return Object.assign({}, ...services.map((service) => service(context)))
}
