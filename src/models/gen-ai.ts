import type { Attributes, AttributeValue } from './attributes.ts'
import { decimalText } from './decimal-text.ts'
import { fitsIndex, MAX_INT64, parseDouble, parseInteger } from './decode-fields.ts'
import { GEN_AI_COLUMNS, GEN_AI_SOURCES, type GenAiColumn, type GenAiSource } from './gen-ai-sources.ts'
import { GenAiValues } from './gen-ai-values.ts'
import { parseJson } from './json.ts'

/** What calls of language models are filtered and summed by: typed columns of `spans`. */
export interface GenAiColumns {
  operation: string | undefined
  provider: string | undefined
  requestModel: string | undefined
  responseModel: string | undefined
  /** Token counts are at least 0 and fit int64; `bigint` only past 2^53. */
  inputTokens: number | bigint | undefined
  outputTokens: number | bigint | undefined
  /** Of the input tokens, those read from a cache, and those written to one. */
  cachedTokens: number | bigint | undefined
  cacheCreationTokens: number | bigint | undefined
  /** Of the output tokens. */
  reasoningTokens: number | bigint | undefined
  timeToFirstTokenSeconds: number | undefined
  /** A decimal number, at least 0 and without exponent, as text so that no digit is lost. */
  cost: string | undefined
  sessionId: string | undefined
  userId: string | undefined
  finishReason: string | undefined
  errorType: string | undefined
  /** The provider's id of its answer. */
  responseId: string | undefined
  promptName: string | undefined
  promptVersion: string | undefined
}

export { isContentKey } from './content-keys.ts'
export { splitContent } from './gen-ai-content.ts'

type ColumnReader = (value: AttributeValue) => string | number | bigint | undefined

const READERS: { readonly [C in GenAiColumn]: (value: AttributeValue) => GenAiColumns[C] } = {
  operation: readText,
  provider: readText,
  requestModel: readText,
  responseModel: readText,
  inputTokens: readTokens,
  outputTokens: readTokens,
  cachedTokens: readTokens,
  cacheCreationTokens: readTokens,
  reasoningTokens: readTokens,
  timeToFirstTokenSeconds: readSeconds,
  cost: decimalText,
  sessionId: readText,
  userId: readText,
  finishReason: readFinishReason,
  errorType: readText,
  responseId: readText,
  promptName: readText,
  promptVersion: readText,
}

/** What a column holds of an attribute; undefined for what it cannot hold (no number, negative, too long for an index): the attribute itself is stored anyway. */
export function readGenAi({ column, read }: GenAiSource, value: AttributeValue): unknown {
  const part = read === undefined ? value : read(value)
  return part === undefined ? undefined : (READERS[column] as ColumnReader)(part)
}

/** Goes through the attributes of a span. See {@link GenAiValues} for what counts where several fill one column. */
export function collectGenAi(attributes: Attributes, values: GenAiValues): void {
  values.begin()
  for (const key of Object.keys(attributes)) {
    for (const source of GEN_AI_SOURCES.get(key) ?? NONE) {
      if (values.takes(source)) values.set(source, readGenAi(source, attributes[key] ?? null))
    }
  }
  values.finish()
}

const NONE: readonly GenAiSource[] = []

/** The typed columns of a span's attributes, undefined when it has none. */
export function genAiColumns(attributes: Attributes): Readonly<GenAiColumns> | undefined {
  const values = new GenAiValues()
  collectGenAi(attributes, values)
  if (!values.hasAny) return undefined
  return Object.fromEntries(
    GEN_AI_COLUMNS.map((column, place) => [column, values.at(place)]),
  ) as unknown as GenAiColumns
}

function readText(value: AttributeValue): string | undefined {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
  return typeof text === 'string' && text !== '' && fitsIndex(text) ? text : undefined
}

function readTokens(value: AttributeValue): number | bigint | undefined {
  if (typeof value === 'number') return value >= 0 && Number.isSafeInteger(value) ? value : undefined
  const integer = parseInteger(value)
  if (integer === undefined || integer < 0n || integer > MAX_INT64) return undefined
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer
}

function readSeconds(value: AttributeValue): number | undefined {
  const seconds = parseDouble(value)
  return seconds !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
}

/**
 * One reason per choice in OpenTelemetry: the different ones, joined by commas. Text attributes (the
 * flat form, some SDKs) carry the list as JSON.
 */
function readFinishReason(value: AttributeValue): string | undefined {
  const list = typeof value === 'string' && value.startsWith('[') ? parseJson(value).value : value
  if (!Array.isArray(list)) return readText(value)
  // Nearly always there is one choice, and this is done for every call.
  if (list.length === 1) return readText(list[0])
  return readText([...new Set(list.filter((reason) => typeof reason === 'string'))].join(','))
}
