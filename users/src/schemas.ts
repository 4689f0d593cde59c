import { z } from 'zod'
import { Timestamp, Id, pageOf, pageQuery, text } from '@shop/platform/schemas'
import { PASSWORD_BYTES } from './hashing'

const Role = z.enum(['BUYER', 'SELLER', 'ADMIN'])

export const Username = z
  .string()
  .regex(/^[A-Za-z0-9._-]{3,32}$/, 'must be 3 to 32 letters, digits, dots, underscores or hyphens')
  .toLowerCase()
  .meta({ description: 'Upper case is accepted and stored as lower case.' })

const Email = z.email().max(254).meta({ description: 'Unique whatever its case, kept as written.' })

/** bcrypt would silently ignore what is beyond its 72 bytes. */
export const Password = text(8, PASSWORD_BYTES)
  .refine(
    (password) => [...password].length > PASSWORD_BYTES || Buffer.byteLength(password) <= PASSWORD_BYTES,
    `must not be longer than ${PASSWORD_BYTES} bytes of UTF-8`,
  )
  .meta({ format: 'password', description: '8 characters to 72 bytes of UTF-8.' })

/** A name for people to read: 1 to 100 characters, not only white space. */
const Name = text(1, 100).regex(/\S/, 'must not be blank')
const ShippingAddress = text(1, 500)

export const Registration = z
  .strictObject({
    username: Username,
    password: Password,
    email: Email,
    role: z.enum(['BUYER', 'SELLER']),
    displayName: Name.optional(),
  })
  .meta({
    id: 'Registration',
    example: {
      username: 'marta.lindqvist',
      password: 'seven-green-kettles',
      email: 'marta.lindqvist@example.com',
      role: 'BUYER',
      displayName: 'Marta Lindqvist',
    },
  })

export const Profile = z
  .object({
    id: Id,
    username: z.string(),
    email: z.string(),
    role: Role,
    displayName: z.string().nullable(),
    shippingAddress: z.string().nullable().optional().meta({ description: 'Of buyers only.' }),
    storeName: z.string().nullable().optional().meta({ description: 'Of sellers only.' }),
    createdAt: Timestamp,
  })
  .meta({
    id: 'Profile',
    example: {
      id: '01980000-0000-7000-8000-00000000b001',
      username: 'user-1',
      email: 'user-1@example.com',
      role: 'BUYER',
      displayName: 'Uma Buyer',
      shippingAddress: '1 Harbour Street, 20457 Hamburg, Germany',
      createdAt: '2026-11-21T08:30:00.000Z',
    },
  })

const Status = z.enum(['ACTIVE', 'DISABLED'])

export const Account = z
  .object({
    id: Id,
    username: z.string(),
    email: z.string(),
    role: Role,
    displayName: z.string().nullable(),
    status: Status.meta({ description: '`DISABLED`: nobody logs in to it.' }),
    createdAt: Timestamp,
  })
  .meta({
    id: 'Account',
    description: 'An account as an admin sees it: addresses are its own.',
    example: {
      id: '01980000-0000-7000-8000-00000000b001',
      username: 'user-1',
      email: 'user-1@example.com',
      role: 'BUYER',
      displayName: 'Uma Buyer',
      status: 'ACTIVE',
      createdAt: '2026-11-21T08:30:00.000Z',
    },
  })
export const AccountPage = pageOf(Account).meta({ id: 'AccountPage' })

export const AccountParams = z.strictObject({ id: Id.meta({ example: '01980000-0000-7000-8000-00000000b001' }) })

export const AccountQuery = z.strictObject({
  role: Role.optional().meta({ description: 'Accounts of this role only.' }),
  status: Status.optional().meta({ description: 'Accounts in this state only.' }),
  usernamePrefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,32}$/, 'must be 1 to 32 letters, digits, dots, underscores or hyphens')
    .toLowerCase()
    .optional()
    .meta({ description: 'Accounts whose username begins so, by username.' }),
  ...pageQuery,
})
export type AccountQuery = z.output<typeof AccountQuery>

export const AccountChange = z
  .strictObject({ status: Status })
  // Nothing that trying it out would have to undo.
  .meta({ id: 'AccountChange', example: { status: 'ACTIVE' } })

export const ProfileChange = z
  .strictObject({
    email: Email.optional(),
    displayName: Name.nullable().optional(),
    shippingAddress: ShippingAddress.nullable().optional().meta({ description: 'Of buyers only.' }),
    storeName: Name.nullable().optional().meta({ description: 'Of sellers only.' }),
  })
  .meta({
    id: 'ProfileChange',
    description: 'Fields that are left out stay as they are; `null` empties a field.',
    example: { displayName: 'Uma B.' },
  })

export const PasswordChange = z
  .strictObject({
    currentPassword: text(1, 1000).meta({ format: 'password' }),
    newPassword: Password,
  })
  .meta({
    id: 'PasswordChange',
    // The same one twice, so that trying it out leaves the demo accounts usable.
    example: { currentPassword: 'password', newPassword: 'password' },
  })

// RFC 6749 §3.2: unrecognized parameters are ignored, none is included twice (then its value is a list), and one without a
// value is as good as omitted.
const ignored = z.unknown().refine((value) => !Array.isArray(value), 'must not be repeated')
const parameter = (max: number) => text(0, max).optional()

export const TokenRequest = z
  .object({
    grant_type: parameter(100).meta({
      description: '`password` (the default) or `refresh_token`.',
      default: 'password',
      examples: ['password'],
    }),
    username: parameter(256).meta({ description: 'Of the password grant.', example: 'user-1' }),
    password: parameter(100_000).meta({
      description: 'Of the password grant.',
      format: 'password',
      example: 'password',
    }),
    refresh_token: parameter(1000).meta({ description: 'Of the refresh_token grant.' }),
  })
  .catchall(ignored)
  .meta({ id: 'TokenRequest', example: { grant_type: 'password', username: 'user-1', password: 'password' } })

export const TokenResponse = z
  .object({
    access_token: z.string().meta({ description: 'RS256 JWT, for `Authorization: Bearer`.' }),
    token_type: z.literal('Bearer'),
    expires_in: z.int().meta({ description: 'Seconds.', example: 900 }),
    refresh_token: z.string().meta({ description: 'Good for 30 days and for one use.' }),
  })
  .meta({ id: 'TokenResponse' })

export const RevocationRequest = z
  .object({
    token: text(1, 10_000).meta({ description: 'A refresh token; the whole login that it descends from ends.' }),
    token_type_hint: parameter(100),
  })
  .catchall(ignored)
  .meta({ id: 'RevocationRequest', example: { token: 'bm90LWEtcmVhbC10b2tlbg' } })

/** RFC 6749 §5.2; `slow_down` is RFC 8628's, `server_error` and `temporarily_unavailable` those of RFC 6749 §4.1.2.1. */
export const OAuthError = z
  .object({
    error: z.enum([
      'invalid_request',
      'invalid_grant',
      'unsupported_grant_type',
      'slow_down',
      'temporarily_unavailable',
      'server_error',
    ]),
    error_description: z.string(),
  })
  .meta({ id: 'OAuthError' })

export const KeySet = z
  .object({
    keys: z
      .array(
        z.object({
          kty: z.literal('RSA'),
          n: z.string(),
          e: z.string(),
          use: z.literal('sig'),
          alg: z.literal('RS256'),
          kid: z.string().meta({ description: 'RFC 7638 thumbprint.' }),
        }),
      )
      .min(1),
  })
  .meta({ id: 'KeySet', description: 'JSON Web Key Set (RFC 7517).' })
