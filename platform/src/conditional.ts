import { createHash } from 'node:crypto'
import { z } from 'zod'

const ENTITY_TAG = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`
// RFC 9110 §5.6.1.2: a recipient must ignore empty elements of a list.
const tagList = new RegExp(`^(?:\\*|[ \\t,]*${ENTITY_TAG}(?:[ \\t]*,[ \\t,]*${ENTITY_TAG})*[ \\t,]*)$`)

/** The value of If-Match or If-None-Match (RFC 9110 §13.1): `*` or a list of entity tags. */
export const EntityTags = z.string().max(1000).regex(tagList, 'must be * or a list of entity tags')

/** None in a header that is no list: parts of it may look like tags that nobody sent. */
const tagsOf = (header: string): string[] =>
  tagList.test(header) ? (header.match(new RegExp(ENTITY_TAG, 'g')) ?? []) : []
const opaque = (tag: string) => tag.replace(/^W\//, '')

/** RFC 9110 §13.1.2: If-None-Match compares weakly. */
export const matchesAny = (header: string, etag: string): boolean =>
  header.trim() === '*' || tagsOf(header).some((tag) => opaque(tag) === opaque(etag))

/**
 * Whether If-Match allows a change of `version`. Tags are `"<version>"` or `"<version>-<anything>"`: only the version
 * counts, and a weak tag is accepted because Nginx weakens tags when it compresses (docs/decisions names the departure).
 */
export function ifMatch(header: string | undefined, version: number): 'missing' | 'stale' | 'current' {
  if (header === undefined) return 'missing'
  if (header.trim() === '*') return 'current'
  return tagsOf(header).some((tag) => opaque(tag).slice(1, -1).split('-')[0] === String(version)) ? 'current' : 'stale'
}

/** A weak tag from the bytes, for answers that have no version of their own (lists). */
export const weakTag = (body: string | Buffer): string => `W/"${createHash('sha1').update(body).digest('base64url')}"`
