import type { Resources } from '../cfn.js'
import { type Context, IDS, keyArn, tagsOf } from '../context.js'

/** Where crawlers log: groups that all crawlers of an account have, and that Glue makes. */
export const CRAWLER_LOGS = '/aws-glue/crawlers*'

/** Where functions log. */
export function logs(context: Context): Resources {
  const key = keyArn(context)
  return {
    [IDS.logGroup]: {
      Type: 'AWS::Logs::LogGroup',
      Properties: {
        LogGroupName: `/moraine/${context.prefix}`,
        RetentionInDays: 90,
        ...(key === undefined ? {} : { KmsKeyId: key }),
        Tags: tagsOf(context),
      },
    },
  }
}
