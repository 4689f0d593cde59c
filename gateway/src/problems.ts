import type { ProblemTable } from '@shop/platform/problems'

export const PROBLEMS = {
  'payment-not-found': {
    status: 404,
    title: 'No such payment',
    description: 'Nothing was ever asked for under this payment id.',
  },
  'payment-closed': {
    status: 409,
    title: 'Payment closed',
    description: 'This payment id was settled before a charge came: nothing was charged under it, and nothing will be.',
  },
  'payment-not-charged': {
    status: 409,
    title: 'Nothing to refund',
    description: 'Nothing was charged under this payment id.',
  },
  'payment-id-reused': {
    status: 422,
    title: 'Payment id reused',
    description: 'Another charge was asked for under this payment id: its amount, reference or card is not the same.',
  },
  'temporarily-unavailable': {
    status: 503,
    title: 'Temporarily unavailable',
    description:
      'Nothing was charged, and nothing will be under this payment id. Try again under a new one after `Retry-After` seconds.',
    retryAfter: 1,
  },
} as const satisfies ProblemTable
