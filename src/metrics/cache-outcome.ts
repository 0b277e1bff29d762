/** What became of a question to the cache of answers: it was there; it was not; it was, and what it is of has changed since; it is too large to be kept. */
export const CACHE_OUTCOMES = ['hit', 'miss', 'stale', 'too_large'] as const
export type CacheOutcome = (typeof CACHE_OUTCOMES)[number]
