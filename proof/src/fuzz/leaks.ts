import type { Answer } from '../client'
import type { Complaint } from './findings'
import type { Request } from './requests'

/** Words of a stack, a database, a library or a machine: no client has a use for them. */
const LEAKS: Record<string, RegExp> = {
  'a stack trace': /\n\s+at |\bat (?:async )?[\w.<>]+ \(|\.[cm]?[jt]s:\d+|node:internal|Traceback/,
  'a file path': /node_modules|\/(?:home|root|usr|var|tmp|app|srv|opt|etc)\/|[A-Z]:\\\\/,
  'the database':
    /\b(?:select|insert into|update|delete from) [\w".]+ |SQLSTATE|violates [\w-]+ constraint|relation "|syntax error at|duplicate key|invalid byte sequence|deadlock detected|canceling statement|pg_|postgres|prisma/i,
  'a library':
    /ZodError|body-parser|\bexpress\b|jsonwebtoken|jwt (?:malformed|expired)|\b(?:Syntax|Type|Range|Reference|Assertion)Error\b|Unexpected (?:token|end of)|JSON at position|Cannot (?:read|set) propert|is not (?:a function|iterable|defined)|\[object Object\]/,
  'a machine': /ECONN\w+|ENOENT|ETIMEDOUT|EPIPE|EADDR\w+|127\.0\.0\.1|localhost:\d|\bpid\b/,
  'a password hash': /\$2[aby]\$\d\d\$/,
  'a private key': /PRIVATE KEY|"(?:d|p|q|dp|dq|qi)":\s*"[\w-]{20}/,
}

/**
 * What the answer says and the request did not. Data is whatever people have written, so only refusals are searched for words of
 * the machinery; secrets must be nowhere.
 */
export function leaksIn({ headers, target, body }: Request, answer: Answer, secrets: readonly string[]): Complaint[] {
  const told = `${answer.text}\n${Object.entries(answer.headers)
    .filter(([name]) => name !== 'etag')
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join('\n')}`
  const sent = [
    ...headers.map(([, value]) => value),
    decoded(target),
    target,
    body?.toString() ?? '',
    body?.toString('latin1') ?? '',
  ].join('\n')
  const leaks = Object.entries(answer.status >= 400 ? LEAKS : {}).flatMap(([what, pattern]) => {
    const match = pattern.exec(told)?.[0]
    return match === undefined || sent.includes(match.trim())
      ? []
      : [
          {
            kind: `leak of ${what}`,
            detail: `it says ${JSON.stringify(told.slice(Math.max(0, told.indexOf(match) - 40), told.indexOf(match) + 120))}`,
          },
        ]
  })
  return [
    ...leaks,
    ...secrets
      .filter((secret) => told.includes(secret))
      .map(() => ({ kind: 'leak of a secret', detail: 'it has a password or token of an account in it' })),
  ]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
