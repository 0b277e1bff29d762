import type { Attributes } from '../models/attributes.ts'
import { MAX_INDEXED_TEXT_BYTES } from '../models/decode-fields.ts'
import { collectGenAi, readGenAi } from '../models/gen-ai.ts'
import { GEN_AI_COLUMNS, type GenAiColumn, type GenAiSource } from '../models/gen-ai-sources.ts'
import { GenAiValues, placeOf } from '../models/gen-ai-values.ts'
import { isModelCall } from '../models/model-call.ts'
import { dollarsOf } from '../models/prices/call-cost.ts'
import type { PriceList } from '../models/prices/price-list.ts'
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
  responseId: ['text', 'response_id'],
  promptName: ['text', 'prompt_name'],
  promptVersion: ['text', 'prompt_version'],
}

/** In the order of the row. */
export const GEN_AI_TABLE_COLUMNS: readonly string[] = [
  ...GEN_AI_COLUMNS.map((column) => COLUMNS[column][1]),
  'cost_is_computed',
]
const FORMS = GEN_AI_COLUMNS.map((column) => COLUMNS[column][0])
const COST = placeOf('cost')

/** Where the text of a column is. */
const WHERE_IT_IS = Symbol('where it is')

/** Encodes {@link GEN_AI_TABLE_COLUMNS} of spans, one after the other. */
export class GenAiEncoder {
  readonly #prices: PriceList
  readonly #values = new GenAiValues()
  /** Of columns that hold {@link WHERE_IT_IS}: the member of the object. */
  readonly #members = new Int32Array(FORMS.length)
  #scanned: UnparsedObject | undefined

  constructor(prices: PriceList) {
    this.#prices = prices
  }

  /** @param startMs when the span began, in unix milliseconds. */
  encode(encoder: CopyEncoder, attributes: Attributes, startMs: number): void {
    this.#scanned = undefined
    collectGenAi(attributes, this.#values)
    this.#encodeValues(encoder, startMs)
  }

  /** The same, from attributes that were not parsed. */
  encodeScanned(encoder: CopyEncoder, attributes: UnparsedObject, startMs: number): void {
    this.#scanned = attributes
    const values = this.#values
    values.begin()
    const { keys } = attributes.members
    for (let index = 0; index < keys.length; index += 1) {
      const sources = keys[index]?.sources
      if (sources === undefined) continue
      for (const source of sources) if (values.takes(source)) this.#take(attributes, index, source)
    }
    if (values.hasAny) values.finish()
    this.#encodeValues(encoder, startMs)
  }

  /** Usual text is left {@link WHERE_IT_IS}, usual integers are read from the bytes, all else is read as `collectGenAi` does. */
  #take(attributes: UnparsedObject, member: number, source: GenAiSource): void {
    const values = this.#values
    const place = placeOf(source.column)
    const form = FORMS[place]
    const kind = attributes.kindOf(member)
    if (source.read !== undefined) values.set(source, readGenAi(source, attributes.value(member)))
    else if (
      form === 'text' &&
      kind === TEXT &&
      attributes.bytes[attributes.fromOf(member)] !== OPEN_BRACKET
    ) {
      const length = attributes.toOf(member) - attributes.fromOf(member)
      if (length === 0 || length > MAX_INDEXED_TEXT_BYTES) return
      this.#members[place] = member
      values.set(source, WHERE_IT_IS)
    } else if (form === 'tokens' && kind === INTEGER) values.set(source, attributes.integer(member))
    else values.set(source, readGenAi(source, attributes.value(member)))
  }

  #encodeValues(encoder: CopyEncoder, startMs: number): void {
    const values = this.#values
    if (!values.hasAny) {
      encoder.nulls(GEN_AI_TABLE_COLUMNS.length)
      return
    }
    const computed = values.at(COST) === undefined ? this.#computeCost(startMs) : undefined
    for (let place = 0; place < FORMS.length; place += 1) {
      const value = values.at(place)
      if (place === COST && computed !== undefined) encodeCost(encoder, computed)
      else if (value === WHERE_IT_IS) this.#encodeWhereItIs(encoder, place)
      else encodeValue(encoder, FORMS[place], value)
    }
    if (computed === undefined && values.at(COST) === undefined) encoder.nulls(1)
    else encoder.bool(computed !== undefined)
  }

  #encodeWhereItIs(encoder: CopyEncoder, place: number): void {
    const scanned = this.#scanned as UnparsedObject
    const member = this.#members[place] as number
    encoder.utf8(scanned.bytes, scanned.fromOf(member), scanned.toOf(member))
  }

  #computeCost(startMs: number): number | bigint | undefined {
    const tokens = {
      input: this.#tokens('inputTokens'),
      output: this.#tokens('outputTokens'),
      cached: this.#tokens('cachedTokens'),
      cacheCreation: this.#tokens('cacheCreationTokens'),
      reasoning: this.#tokens('reasoningTokens'),
    }
    if (tokens.input === undefined && tokens.output === undefined) return undefined
    const names = {
      operation: this.#text('operation'),
      provider: this.#text('provider'),
      requestModel: this.#text('requestModel'),
      responseModel: this.#text('responseModel'),
    }
    return isModelCall(names) ? this.#prices.costOf(names, tokens, startMs) : undefined
  }

  #tokens(column: GenAiColumn): number | bigint | undefined {
    return this.#values.at(placeOf(column)) as number | bigint | undefined
  }

  #text(column: GenAiColumn): string | undefined {
    const place = placeOf(column)
    const value = this.#values.at(place)
    if (value !== WHERE_IT_IS) return value as string | undefined
    return this.#scanned?.value(this.#members[place] as number) as string
  }
}

function encodeCost(encoder: CopyEncoder, picodollars: number | bigint): void {
  if (typeof picodollars === 'number') encoder.numericOfPicos(picodollars)
  else encoder.numeric(dollarsOf(picodollars))
}

function encodeValue(encoder: CopyEncoder, form: Form | undefined, value: unknown): void {
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
