import type { Attributes } from '../models/attributes.ts'
import { MAX_INDEXED_TEXT_BYTES } from '../models/decode-fields.ts'
import { GEN_AI_READERS, genAiColumns } from '../models/gen-ai.ts'
import type { GenAiColumn } from '../models/gen-ai-sources.ts'
import { INTEGER, TEXT } from '../models/scan/json-scanner.ts'
import type { UnparsedObject } from '../models/scan/unparsed-object.ts'
import type { CopyEncoder } from './copy-encoder.ts'

const NANOS_PER_SECOND = 1e9

type Form = 'text' | 'tokens' | 'seconds' | 'cost'

/** The columns in the order of the row: the field of `GenAiColumns`, what it holds, and its name. */
const COLUMNS: readonly (readonly [GenAiColumn, Form, string])[] = [
  ['operation', 'text', 'operation'],
  ['provider', 'text', 'provider'],
  ['requestModel', 'text', 'request_model'],
  ['responseModel', 'text', 'response_model'],
  ['inputTokens', 'tokens', 'input_tokens'],
  ['outputTokens', 'tokens', 'output_tokens'],
  ['cachedTokens', 'tokens', 'cached_tokens'],
  ['reasoningTokens', 'tokens', 'reasoning_tokens'],
  ['timeToFirstTokenSeconds', 'seconds', 'time_to_first_token_ns'],
  ['cost', 'cost', 'cost'],
  ['sessionId', 'text', 'session_id'],
  ['userId', 'text', 'user_id'],
  ['finishReason', 'text', 'finish_reason'],
  ['errorType', 'text', 'error_type'],
]

export const GEN_AI_COLUMNS: readonly string[] = COLUMNS.map(([, , name]) => name)

const PLACES = new Map(COLUMNS.map(([column], place) => [column, place]))
const NONE = -1
const WHERE_IT_IS = Symbol('where it is')

/** Of the span in hand, by column: the member that fills it, its rank, and what it holds. */
const members = new Int32Array(COLUMNS.length)
const ranks = new Int32Array(COLUMNS.length)
const values: unknown[] = COLUMNS.map(() => undefined)

/** Encodes {@link GEN_AI_COLUMNS}. */
export function encodeGenAi(encoder: CopyEncoder, attributes: Attributes): void {
  const found = genAiColumns(attributes)
  if (found === undefined) encoder.nulls(COLUMNS.length)
  else for (const [column, form] of COLUMNS) encodeValue(encoder, form, found[column])
}

/** The columns that `genAiColumns` finds in attributes, from attributes that were not parsed. */
export function encodeScannedGenAi(encoder: CopyEncoder, attributes: UnparsedObject): void {
  members.fill(NONE)
  const { keys } = attributes.members
  let hasAny = false
  for (let member = 0; member < keys.length; member += 1) {
    const source = keys[member]?.source
    if (source === undefined) continue
    const place = PLACES.get(source.column) as number
    if (members[place] !== NONE && (ranks[place] as number) < source.rank) continue
    const value = read(attributes, member, place)
    if (value === undefined) continue
    values[place] = value
    members[place] = member
    ranks[place] = source.rank
    hasAny = true
  }
  if (!hasAny) {
    encoder.nulls(COLUMNS.length)
    return
  }
  for (let place = 0; place < COLUMNS.length; place += 1) encodeColumn(encoder, attributes, place)
}

/** What the column holds of the member: usual text is left {@link WHERE_IT_IS}, else what `genAiColumns` reads; undefined where it cannot hold it. */
function read(attributes: UnparsedObject, member: number, place: number): unknown {
  const [column, form] = COLUMNS[place] as (typeof COLUMNS)[number]
  const kind = attributes.kindOf(member)
  if (form === 'text' && kind === TEXT && attributes.bytes[attributes.fromOf(member)] !== OPEN_BRACKET) {
    const length = attributes.toOf(member) - attributes.fromOf(member)
    return length > 0 && length <= MAX_INDEXED_TEXT_BYTES ? WHERE_IT_IS : undefined
  }
  if (form === 'tokens' && kind === INTEGER) return attributes.integer(member)
  return GEN_AI_READERS[column](attributes.value(member))
}

function encodeColumn(encoder: CopyEncoder, attributes: UnparsedObject, place: number): void {
  const [, form] = COLUMNS[place] as (typeof COLUMNS)[number]
  const member = members[place] as number
  if (member === NONE) {
    encoder.nulls(1)
    return
  }
  const value = values[place]
  if (value === WHERE_IT_IS)
    encoder.utf8(attributes.bytes, attributes.fromOf(member), attributes.toOf(member))
  else encodeValue(encoder, form, value)
}

function encodeValue(encoder: CopyEncoder, form: Form, value: unknown): void {
  if (form === 'tokens') encoder.int8(value as number | bigint | undefined)
  else if (form === 'cost') encoder.numeric(value as string | undefined)
  else if (form === 'text') encoder.text(value as string | undefined)
  else {
    const nanos = Math.round(((value as number | undefined) ?? Number.NaN) * NANOS_PER_SECOND)
    encoder.int8(Number.isSafeInteger(nanos) ? nanos : undefined)
  }
}

/** A text that begins so may be a list of finish reasons. */
const OPEN_BRACKET = 0x5b
