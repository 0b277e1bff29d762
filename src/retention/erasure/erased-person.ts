import { createHash } from 'node:crypto'
import { GEN_AI_SOURCES, type GenAiColumn } from '../../models/gen-ai-sources.ts'

/** Whose data goes: everything that one of these ids names. */
export interface ErasedPerson {
  readonly users: readonly string[]
  readonly sessions: readonly string[]
  /** 32 hex digits in lower case. */
  readonly traceIds: readonly string[]
}

/** By which kinds of ids a person is named. */
export function namedBy({ users, sessions, traceIds }: ErasedPerson): readonly string[] {
  const kinds = { user: users, session: sessions, trace: traceIds }
  return Object.entries(kinds).flatMap(([kind, ids]) => (ids.length > 0 ? [kind] : []))
}

/** The same for the same ids in any order. Ids are guessable, so it is kept no longer than it is needed. */
export function personHash({ users, sessions, traceIds }: ErasedPerson, salt: Buffer): Buffer {
  const ids = [users, sessions, traceIds].map((each) => [...new Set(each)].sort())
  return createHash('sha256').update(salt).update(JSON.stringify(ids)).digest()
}

/** The attributes that a column of spans is read from, whichever of them comes first: a record that has several names all of them. */
function keysOf(column: GenAiColumn): readonly string[] {
  return [...GEN_AI_SOURCES].flatMap(([key, sources]) =>
    sources.some((source) => source.column === column) ? [key] : [],
  )
}

const USER_KEYS = keysOf('userId')
const SESSION_KEYS = keysOf('sessionId')

/** SQL of whether attributes name the person: $1 are users, $2 sessions, both text[]. Never null. */
export function attributesNameSql(attributes: string): string {
  const isOne = (key: string, ids: string) => `${attributes} ->> '${key}' = any(${ids}::text[])`
  const all = [...USER_KEYS.map((key) => isOne(key, '$1')), ...SESSION_KEYS.map((key) => isOne(key, '$2'))]
  return `coalesce(${all.join(' or ')}, false)`
}
