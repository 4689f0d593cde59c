import { createHash } from 'node:crypto'

/** Chance that a seed repeats. */
export type Random = {
  /** A whole number, both ends included. */
  int: (min: number, max: number) => number
  /** True once in `n` times. */
  oneIn: (n: number) => boolean
  pick: <T>(from: readonly [T, ...T[]] | readonly T[]) => T
  shuffled: <T>(list: readonly T[]) => T[]
  /** `length` hexadecimal digits. */
  hex: (length: number) => string
  /** A sequence of its own for a part of the work, so that what one part draws changes nothing for another. */
  fork: (label: string) => Random
}

export function randomFrom(seed: string): Random {
  const next = sfc32(createHash('sha256').update(seed).digest())
  const int = (min: number, max: number) => min + Math.floor((next() / 2 ** 32) * (max - min + 1))
  return {
    int,
    oneIn: (n) => int(1, n) === 1,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new Error('nothing to pick from')
      return from[int(0, from.length - 1)] as T
    },
    shuffled<T>(list: readonly T[]): T[] {
      const result = [...list]
      for (let i = result.length - 1; i > 0; i--) {
        const j = int(0, i)
        ;[result[i], result[j]] = [result[j] as T, result[i] as T]
      }
      return result
    },
    hex: (length) => Array.from({ length }, () => int(0, 15).toString(16)).join(''),
    fork: (label) => randomFrom(`${seed}/${label}`),
  }
}

/** Chris Doty-Humphrey's small fast counter, https://pracrand.sourceforge.net/RNG_engines.txt */
function sfc32(digest: Buffer): () => number {
  let [a, b, c, counter] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at)) as [number, number, number, number]
  return () => {
    const result = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + result
    return result >>> 0
  }
}
