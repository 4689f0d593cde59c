import { problem, type ProblemTable } from '@shop/platform/problems'
import type { RateLimited } from './failure-limits'

export const PROBLEMS = {
  'user-not-found': {
    status: 404,
    title: 'No such user',
    description: 'There is no account with this id.',
  },
  'username-taken': {
    status: 409,
    title: 'Username taken',
    description: 'Somebody has this username, perhaps spelt in another case. Choose another one.',
  },
  'email-taken': {
    status: 409,
    title: 'Email address taken',
    description: 'An account with this email address exists, perhaps spelt in another case.',
  },
  'own-account': {
    status: 409,
    title: 'Your own account',
    description: 'An admin changes the status of other accounts, never of the own one. Nothing was changed.',
  },
  'wrong-password': {
    status: 422,
    title: 'Wrong password',
    description: '`currentPassword` is not the password of this account. Nothing was changed.',
  },
  // The token endpoints tell the next two as RFC 6749 errors.
  'invalid-grant': {
    status: 400,
    title: 'Invalid grant',
    description:
      'The username is unknown or the password wrong; or the refresh token is unknown, expired, used or revoked.',
  },
  'unsupported-grant-type': {
    status: 400,
    title: 'Unsupported grant type',
    description: 'The token endpoint knows the grant types password and refresh_token.',
  },
} as const satisfies ProblemTable

export const rateLimited = ({ retryAfterSeconds }: RateLimited) =>
  problem('rate-limited', {
    detail: 'Too many wrong passwords.',
    headers: { 'Retry-After': String(retryAfterSeconds) },
  })
