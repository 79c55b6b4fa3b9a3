/**
 * Why rules of cdk-nag's packs don't hold for what templates make, by the rule's name without that
 * of the pack, and the names of resources. Reasons for `AwsSolutions` stand in the templates.
 */
export const nagReasons: readonly {
  rule: string
  resources: RegExp
  reason: string
}[] = [
  {
    rule: 'CloudTrailCloudWatchLogsEnabled',
    resources: /^Trail$/,
    reason:
      'Its files are read where they are: a second copy in CloudWatch costs more than it tells.',
  },
  {
    rule: 'LambdaConcurrency',
    resources: /Function$/,
    reason:
      'Queues of one group and schedules bound it; what is reserved is taken from the rest of the account, and SQS would send what is throttled to the dead letters. For the catalog, whose address is open, the guide says how it is bounded.',
  },
  {
    rule: 'LambdaDLQ',
    resources: /Function$/,
    reason:
      'That is for asynchronous invocations: these functions take messages of a queue, which has dead letters, or answer requests.',
  },
  {
    rule: 'LambdaFunctionPublicAccessProhibited',
    resources: /^CatalogIs(Reached|Invoked)$/,
    reason:
      'Clients of Iceberg send bearer tokens where IAM would have its signature; a catalog that knows no token is an error of lake.ts.',
  },
  {
    rule: 'LambdaInsideVPC',
    resources: /Function$/,
    reason:
      'It reaches services of AWS alone, by its own role; the option vpc puts it into a network.',
  },
  {
    rule: 'S3BucketReplicationEnabled',
    resources: /Bucket$/,
    reason:
      'A copy in another region is a decision about cost and law: moraine copy makes one, whole and verified.',
  },
  {
    rule: 'S3BucketVersioningEnabled',
    resources: /^(Log|Results)Bucket$/,
    reason:
      'Logs are written once, under names of their own; results of queries go after a month and can be made again.',
  },
  {
    rule: 'S3DefaultEncryptionKMS',
    resources: /^LogBucket$/,
    reason: 'S3 delivers access logs to buckets with SSE-S3 alone.',
  },
  {
    rule: 'S3BucketDefaultLockEnabled',
    resources: /Bucket$/,
    reason:
      'A default lock would keep files of tables that retention removes; archived originals are locked one by one (ADR 131).',
  },
  {
    rule: 'LambdaEventSourceMappingDestination',
    resources: /Messages$/,
    reason: 'Its queue has dead letters; destinations are for streams.',
  },
  {
    rule: 'EventBusDLQ',
    resources: /^SparkFailures\d*$/,
    reason: 'Its target is the queue of dead letters.',
  },
  {
    rule: 'SNSRedrivePolicy',
    resources: /^AlarmsEmail$/,
    reason: 'A letter that was not delivered can not be read from a queue by whom it was for.',
  },
  {
    rule: 'SQSRedrivePolicy',
    resources: /^DeadLetters(Fifo)?$/,
    reason: 'They are the dead letters, and have an alarm.',
  },
]
