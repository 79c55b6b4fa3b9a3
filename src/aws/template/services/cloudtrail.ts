import { arn, att, explained, join, type Resources, ref } from '../cfn.js'
import { type Context, IDS, keyArn, tagsOf } from '../context.js'
import { nameInAccount } from '../names.js'

/** Where trails lie in the bucket of logs. */
export const TRAIL = 'trail'

/**
 * Who read and wrote which object of the lake, with files that prove themselves unchanged. The
 * bucket's policy lets CloudTrail write there. What is done to the account's other resources is for
 * a trail of the account: a second copy of these events is paid for, each call of the key among
 * them.
 */
export function cloudtrail(context: Context): Resources {
  if (!context.deploy.audit) return {}
  const key = keyArn(context)
  return {
    Trail: explained(
      {
        Type: 'AWS::CloudTrail::Trail',
        Properties: {
          TrailName: trailName(context),
          S3BucketName: ref(IDS.logs),
          S3KeyPrefix: TRAIL,
          IsLogging: true,
          IsMultiRegionTrail: true,
          IncludeGlobalServiceEvents: true,
          EnableLogFileValidation: true,
          ...(key === undefined ? {} : { KMSKeyId: key }),
          AdvancedEventSelectors: [
            {
              Name: 'Objects of the lake',
              FieldSelectors: [
                { Field: 'eventCategory', Equals: ['Data'] },
                { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
                { Field: 'resources.ARN', StartsWith: [join(att(IDS.bucket), '/')] },
              ],
            },
          ],
          Tags: tagsOf(context),
        },
      },
      {
        CKV_AWS_252: 'Each file would be a message: alarms are for what people have to do.',
        CKV2_AWS_10:
          'Its files are read where they are; a second copy in CloudWatch costs more than it tells.',
      },
    ),
  }
}

/** A trail of all regions is there in each of them. */
const trailName = (context: Context) => nameInAccount(context, 'trail', 128)
/** Known before the trail is there: its bucket's policy names it. */
export const trailArn = (context: Context) => arn('cloudtrail', `trail/${trailName(context)}`)
