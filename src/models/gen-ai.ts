import type { Attributes, AttributeValue } from './attributes.ts'
import { decimalText } from './decimal-text.ts'
import { fitsIndex, MAX_INT64, parseDouble, parseInteger } from './decode-fields.ts'
import { GEN_AI_SOURCES, type GenAiColumn } from './gen-ai-sources.ts'
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
  cachedTokens: number | bigint | undefined
  reasoningTokens: number | bigint | undefined
  timeToFirstTokenSeconds: number | undefined
  /** A decimal number, at least 0 and without exponent, as text so that no digit is lost. */
  cost: string | undefined
  sessionId: string | undefined
  userId: string | undefined
  finishReason: string | undefined
  errorType: string | undefined
}

export { isContentKey } from './content-keys.ts'
export { splitContent } from './gen-ai-content.ts'

type ColumnReader = (value: AttributeValue) => string | number | bigint | undefined

/** The rank of a column's best source, so common that it is not noted down. */
const FIRST = 0

export const GEN_AI_READERS: { readonly [C in GenAiColumn]: (value: AttributeValue) => GenAiColumns[C] } = {
  operation: readText,
  provider: readText,
  requestModel: readText,
  responseModel: readText,
  inputTokens: readTokens,
  outputTokens: readTokens,
  cachedTokens: readTokens,
  reasoningTokens: readTokens,
  timeToFirstTokenSeconds: readSeconds,
  cost: decimalText,
  sessionId: readText,
  userId: readText,
  finishReason: readFinishReason,
  errorType: readText,
}

/**
 * The typed columns of a span's attributes, undefined when it has none. Where several attributes feed
 * a column, the one that {@link GEN_AI_SOURCES} ranks first wins. A value that the column cannot hold
 * (no number, negative, too long for an index) is passed over; the attribute itself is stored anyway.
 */
export function genAiColumns(attributes: Attributes): Readonly<GenAiColumns> | undefined {
  let columns: GenAiColumns | undefined
  let ranks: Partial<Record<GenAiColumn, number>> | undefined
  for (const key of Object.keys(attributes)) {
    const source = GEN_AI_SOURCES.get(key)
    if (source === undefined) continue
    const { column, rank } = source
    if (columns?.[column] !== undefined && (ranks?.[column] ?? FIRST) < rank) continue
    const value = (GEN_AI_READERS[column] as ColumnReader)(attributes[key] ?? null)
    if (value === undefined) continue
    columns ??= emptyColumns()
    ;(columns as Record<GenAiColumn, unknown>)[column] = value
    if (rank === FIRST && ranks?.[column] === undefined) continue
    ranks ??= {}
    ranks[column] = rank
  }
  return columns
}

function emptyColumns(): GenAiColumns {
  return {
    operation: undefined,
    provider: undefined,
    requestModel: undefined,
    responseModel: undefined,
    inputTokens: undefined,
    outputTokens: undefined,
    cachedTokens: undefined,
    reasoningTokens: undefined,
    timeToFirstTokenSeconds: undefined,
    cost: undefined,
    sessionId: undefined,
    userId: undefined,
    finishReason: undefined,
    errorType: undefined,
  }
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
