import type { Attributes } from '../models/attributes.ts'
import { MAX_INDEXED_TEXT_BYTES } from '../models/decode-fields.ts'
import { collectGenAi, readGenAi } from '../models/gen-ai.ts'
import { GEN_AI_COLUMNS, type GenAiColumn, type GenAiSource } from '../models/gen-ai-sources.ts'
import { GenAiValues, placeOf } from '../models/gen-ai-values.ts'
import { INTEGER, TEXT } from '../models/scan/json-scanner.ts'
import type { UnparsedObject } from '../models/scan/unparsed-object.ts'
import type { CopyEncoder } from './copy-encoder.ts'

const NANOS_PER_SECOND = 1e9

type Form = 'text' | 'tokens' | 'seconds' | 'cost'

/** What each column holds, and its name in the table. */
const COLUMNS: Readonly<Record<GenAiColumn, readonly [Form, string]>> = {
  operation: ['text', 'operation'],
  provider: ['text', 'provider'],
  requestModel: ['text', 'request_model'],
  responseModel: ['text', 'response_model'],
  inputTokens: ['tokens', 'input_tokens'],
  outputTokens: ['tokens', 'output_tokens'],
  cachedTokens: ['tokens', 'cached_tokens'],
  cacheCreationTokens: ['tokens', 'cache_creation_tokens'],
  reasoningTokens: ['tokens', 'reasoning_tokens'],
  timeToFirstTokenSeconds: ['seconds', 'time_to_first_token_ns'],
  cost: ['cost', 'cost'],
  sessionId: ['text', 'session_id'],
  userId: ['text', 'user_id'],
  finishReason: ['text', 'finish_reason'],
  errorType: ['text', 'error_type'],
}

/** In the order of the row. */
export const GEN_AI_TABLE_COLUMNS: readonly string[] = GEN_AI_COLUMNS.map((column) => COLUMNS[column][1])
const FORMS = GEN_AI_COLUMNS.map((column) => COLUMNS[column][0])

const values = new GenAiValues()
/** Of columns that hold {@link WHERE_IT_IS}: the member of the object. */
const members = new Int32Array(FORMS.length)
const WHERE_IT_IS = Symbol('where it is')

/** Encodes {@link GEN_AI_TABLE_COLUMNS}. */
export function encodeGenAi(encoder: CopyEncoder, attributes: Attributes): void {
  collectGenAi(attributes, values)
  if (!values.hasAny) encoder.nulls(FORMS.length)
  else for (let place = 0; place < FORMS.length; place += 1) encodeValue(encoder, place, values.at(place))
}

/** The same, from attributes that were not parsed. */
export function encodeScannedGenAi(encoder: CopyEncoder, attributes: UnparsedObject): void {
  values.begin()
  const { keys } = attributes.members
  for (let index = 0; index < keys.length; index += 1) {
    const sources = keys[index]?.sources
    if (sources === undefined) continue
    for (const source of sources) if (values.takes(source)) take(attributes, index, source)
  }
  if (!values.hasAny) {
    encoder.nulls(FORMS.length)
    return
  }
  values.finish()
  for (let place = 0; place < FORMS.length; place += 1) {
    const value = values.at(place)
    const member = members[place] as number
    if (value !== WHERE_IT_IS) encodeValue(encoder, place, value)
    else encoder.utf8(attributes.bytes, attributes.fromOf(member), attributes.toOf(member))
  }
}

/** Usual text is left {@link WHERE_IT_IS}, usual integers are read from the bytes, all else is read as `collectGenAi` does. */
function take(attributes: UnparsedObject, member: number, source: GenAiSource): void {
  const place = placeOf(source.column)
  const form = FORMS[place]
  const kind = attributes.kindOf(member)
  if (source.read !== undefined) values.set(source, readGenAi(source, attributes.value(member)))
  else if (form === 'text' && kind === TEXT && attributes.bytes[attributes.fromOf(member)] !== OPEN_BRACKET) {
    const length = attributes.toOf(member) - attributes.fromOf(member)
    if (length === 0 || length > MAX_INDEXED_TEXT_BYTES) return
    members[place] = member
    values.set(source, WHERE_IT_IS)
  } else if (form === 'tokens' && kind === INTEGER) values.set(source, attributes.integer(member))
  else values.set(source, readGenAi(source, attributes.value(member)))
}

function encodeValue(encoder: CopyEncoder, place: number, value: unknown): void {
  const form = FORMS[place]
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
