import { type Resources, ref } from '../cfn.js'
import { type Context, IDS, tagsByName } from '../context.js'
import { nameInAccount } from '../names.js'

/**
 * Says when the lake's cost of a month passes four fifths of a budget, or will pass it. The tag
 * `lake` must be activated for costs, once an account.
 */
export function budgets(context: Context): Resources {
  const { deploy } = context
  if (deploy.budget === undefined) return {}
  const notify = (NotificationType: 'ACTUAL' | 'FORECASTED', Threshold: number) => ({
    Notification: {
      NotificationType,
      ComparisonOperator: 'GREATER_THAN',
      Threshold,
      ThresholdType: 'PERCENTAGE',
    },
    Subscribers: [{ SubscriptionType: 'SNS', Address: ref(IDS.topic) }],
  })
  return {
    Budget: {
      Type: 'AWS::Budgets::Budget',
      DependsOn: ['AlarmsPolicy'],
      Properties: {
        Budget: {
          BudgetName: nameInAccount(context, 'budget', 100),
          BudgetType: 'COST',
          TimeUnit: 'MONTHLY',
          BudgetLimit: { Amount: deploy.budget, Unit: 'USD' },
          CostFilters: { TagKeyValue: [`user:lake$${tagsByName(context).lake}`] },
        },
        NotificationsWithSubscribers: [notify('ACTUAL', 80), notify('FORECASTED', 100)],
      },
    },
  }
}
