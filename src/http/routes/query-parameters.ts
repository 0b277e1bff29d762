import { BadParameter } from '../../repositories/bad-parameter.ts'
import { FILTER_WORDS, MAX_WORD_LENGTH } from '../../repositories/filter-words.ts'

/** Rows of a page of JSON for whom nothing is said. */
const PAGE_ROWS = 100

/** The JSON schemas of what most routes take. */
export const COMMON_PARAMETERS = {
  from: FILTER_WORDS.from,
  to: FILTER_WORDS.to,
  limit: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000_000,
    description: `At most so many. Without it: ${PAGE_ROWS} in a page, PAGE_MAX_ROWS (a setting) in other JSON, all in NDJSON, CSV and Parquet.`,
  },
  format: {
    type: 'string',
    enum: ['json', 'ndjson', 'csv'],
    description: 'Form of the answer. Without it: by Accept, else json.',
  },
}

/** Text that PostgreSQL can compare with: it has no NUL. */
export const TEXT_PARAMETER = { type: 'string', maxLength: MAX_WORD_LENGTH, pattern: '^[^\\u0000]*$' }

/** Of a path. */
export const METRIC_NAME = { ...TEXT_PARAMETER, description: 'Name of the metric.' }

/** By what rows are grouped. @param usual where nothing is said. */
export function groupsParameter(known: readonly string[], usual?: string) {
  const description = `By what: any of ${known.join(', ')}, with commas between them.`
  return { ...TEXT_PARAMETER, description, ...(usual !== undefined && { default: usual }) }
}

/** Over which time one row is. */
export const STEP_PARAMETER = {
  type: 'string',
  maxLength: 32,
  description: 'Time of one row: 30s, 5m, 1h, 1d. Without it one row is of all.',
  examples: ['5m'],
}

/** Every form that a document with a list in it comes in: as NDJSON it is the list alone. */
export const DOCUMENT_FORMATS = ['json', 'ndjson'] as const
export type DocumentFormat = (typeof DOCUMENT_FORMATS)[number]

/** Of a document. */
export const DOCUMENT_FORMAT_PARAMETER = { ...COMMON_PARAMETERS.format, enum: DOCUMENT_FORMATS }

/** Every form that lists come in. */
export const LIST_FORMATS = [...DOCUMENT_FORMATS, 'csv'] as const
export type ListFormat = (typeof LIST_FORMATS)[number]

/** What {@link COMMON_PARAMETERS} let pass. */
export interface CommonQuery {
  from?: string
  to?: string
  limit?: number
  format?: ListFormat
}

/** Every form that records come in. */
export const RECORD_FORMATS = [...LIST_FORMATS, 'parquet'] as const
export type BodyFormat = (typeof RECORD_FORMATS)[number]

/** As IANA has it. */
export const PARQUET_CONTENT_TYPE = 'application/vnd.apache.parquet'

const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  parquet: PARQUET_CONTENT_TYPE,
}

/** The content type of a format. */
export function contentTypeOf(format: BodyFormat): string {
  return CONTENT_TYPES[format]
}

/** How much one answer may have: settings. */
export interface RowLimits {
  /** Of `json`. */
  readonly pageMaxRows: number
  /** Of `ndjson`, `csv` and `parquet`; 0 is no limit. */
  readonly exportMaxRows: number
}

/** Rows of a page of JSON. @throws BadParameter for one that is too long. */
export function readPageLimit(
  { limit }: Pick<CommonQuery, 'limit'>,
  { pageMaxRows }: RowLimits,
  usual = PAGE_ROWS,
): number {
  if (limit === undefined) return Math.min(usual, pageMaxRows)
  if (limit <= pageMaxRows) return limit
  const detail = `limit must be at most ${pageMaxRows} with format=json (PAGE_MAX_ROWS); use format=ndjson for more`
  throw new BadParameter('limit', detail)
}

/** Rows of NDJSON, CSV or Parquet; null is all. @throws BadParameter where that is, or may be, more than is allowed. */
export function readExportLimit(
  { limit }: Pick<CommonQuery, 'limit'>,
  { exportMaxRows }: RowLimits,
): number | null {
  if (exportMaxRows === 0) return limit ?? null
  if (limit !== undefined && limit <= exportMaxRows) return limit
  const detail = `limit must be given, and at most ${exportMaxRows} (EXPORT_MAX_ROWS): ask for more in parts, by from and to`
  throw new BadParameter('limit', detail)
}
