import { SPAN_KINDS, STATUS_CODES } from '../../models/decode-span-status.ts'
import { severityNumberOf } from '../../models/severity.ts'
import {
  type FilterColumns,
  type RecordFilter,
  TEXT_WORDS,
  type TextWord,
} from '../../repositories/filter.ts'
import { parseDuration } from '../../repositories/filter-duration.ts'
import { BadParameter } from '../problem.ts'
import {
  type BodyFormat,
  COMMON_PARAMETERS,
  type CommonQuery,
  readLimit,
  readTimeRange,
  TEXT_PARAMETER,
  TRACE_ID_PARAMETER,
} from './query-parameters.ts'

/** The words of a filter as parameters of a query. Which of them a route takes {@link filterSchema} says. */
export interface FilterQuery extends CommonQuery, Partial<Record<TextWord, string>> {
  traceId?: string
  spanId?: string
  level?: string
  status?: string
  kind?: string
  minDuration?: string
  maxDuration?: string
}

const WORD = { type: 'string', maxLength: 32 }
const ATTRIBUTE = 'attr.'

/** The JSON schema of a query: the words that a view has columns for, and others of the route's own. */
export function filterSchema(columns: FilterColumns, others: Readonly<Record<string, unknown>> = {}) {
  const { traceId, spanId, severityNumber, statusCode, kindCode, durationNs, attributes, texts } = columns
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...COMMON_PARAMETERS,
      ...Object.fromEntries(Object.keys(texts).map((word) => [word, TEXT_PARAMETER])),
      ...(traceId && { traceId: TRACE_ID_PARAMETER }),
      ...(spanId && { spanId: { type: 'string', pattern: '^[0-9a-fA-F]{16}$' } }),
      ...(severityNumber && { level: WORD }),
      ...(statusCode && { status: { type: 'string', enum: [...STATUS_CODES.keys()] } }),
      ...(kindCode && { kind: { type: 'string', enum: [...SPAN_KINDS.keys()] } }),
      ...(durationNs && { minDuration: WORD, maxDuration: WORD }),
      ...others,
    },
    ...(attributes && { patternProperties: { '^attr\\.[^\\u0000]{1,256}$': TEXT_PARAMETER } }),
  }
}

/** @throws BadParameter for what is no time, no duration or no level, and for a page that is too long. */
export function readFilter(query: Omit<FilterQuery, 'format'>, format: BodyFormat): RecordFilter {
  const { traceId, spanId, level, status, kind } = query
  const texts = TEXT_WORDS.filter((word) => query[word] !== undefined).map((word) => [word, query[word]])
  const attributes = Object.entries(query).flatMap(([name, value]) =>
    name.startsWith(ATTRIBUTE) ? [[name.slice(ATTRIBUTE.length), String(value)] as const] : [],
  )
  return {
    ...readTimeRange(query),
    ...Object.fromEntries(texts),
    ...(traceId !== undefined && { traceId }),
    ...(spanId !== undefined && { spanId }),
    ...(level !== undefined && { minSeverityNumber: readLevel(level) }),
    ...(status !== undefined && { status: STATUS_CODES.get(status) }),
    ...(kind !== undefined && { kind: SPAN_KINDS.get(kind) }),
    ...readDuration(query, 'minDuration'),
    ...readDuration(query, 'maxDuration'),
    ...(attributes.length > 0 && { attributes }),
    limit: readLimit(query, format),
  }
}

function readDuration(
  query: Omit<FilterQuery, 'format'>,
  parameter: 'minDuration' | 'maxDuration',
): Pick<RecordFilter, typeof parameter> {
  const text = query[parameter]
  if (text === undefined) return {}
  const duration = parseDuration(text)
  if (duration === undefined)
    throw new BadParameter(
      parameter,
      `${parameter} must be a duration: 250ms, 1.5s, 2m; units ns, us, ms, s, m, h`,
    )
  return { [parameter]: duration }
}

function readLevel(level: string): number {
  const severityNumber = severityNumberOf(level)
  if (severityNumber === 0) {
    throw new BadParameter('level', 'level must be one of trace, debug, info, warn, error, fatal')
  }
  return severityNumber
}
