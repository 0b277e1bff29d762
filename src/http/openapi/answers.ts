import type { ParquetColumn } from '../../parquet/parquet-column.ts'
import type { RecordSource } from '../../repositories/record-source.ts'
import { PARQUET_CONTENT_TYPE } from '../routes/query-parameters.ts'
import type { ComponentName } from './component-schemas.ts'
import { arrayOf, type JsonSchema, mark, object, ref, text } from './json-schema.ts'
import type { PROBLEM_RESPONSES } from './operation-schemas.ts'
import type { Content, Response, RouteDocs } from './route-docs.ts'

const NDJSON =
  'An answer that is cut off may say so in a last line, {"error": {"status", "title", "detail"}}; its connection ends without the end of the body.'

interface Columns extends Partial<Pick<RecordSource, 'parquet'>> {
  /** Names, or as records have them. */
  readonly csv: RecordSource['csv'] | readonly string[]
}

/** Pages of JSON; all of it as NDJSON and CSV too, and as Parquet where there is such a form of it. */
export function pages(item: ComponentName, { csv, parquet }: Columns): Content {
  const nextCursor = {
    type: ['string', 'null'],
    description:
      'As cursor, with the other parameters as they are, it gives the next page; null on the last one.',
  }
  return {
    ...json(object({ data: arrayOf(ref(item)), nextCursor })),
    ...lines(item),
    ...csvLines(`: ${csv.map((column) => (typeof column === 'string' ? column : column[0])).join(', ')}`),
    ...(parquet && {
      [PARQUET_CONTENT_TYPE]: {
        schema: text(
          `A file with the columns ${parquet.map(describeColumn).join(', ')}. One that was cut off has no footer.`,
        ),
      },
    }),
  }
}

/** Text and times are what columns mostly are, and say so by their names. */
function describeColumn({ name, type }: ParquetColumn): string {
  return type === 'string' ? name : `${name} (${type})`
}

/** A list that has no pages, as JSON, NDJSON or CSV. */
export function list(item: ComponentName): Content {
  const isCut = mark(
    'There is more than this: ask for a shorter time range, a higher limit, or NDJSON or CSV.',
  )
  return {
    ...json(object({ data: arrayOf(ref(item)), nextCursor: { type: 'null' } }, { isCut })),
    ...lines(item),
    ...csvLines(),
  }
}

/** One thing as JSON; where it has `items`, these alone as NDJSON too. */
export function one(name: ComponentName, items?: ComponentName): Content {
  return { ...json(ref(name)), ...(items && lines(items)) }
}

/** The responses of a route that reads PostgreSQL. */
export function answers(
  content: Content,
  { description = 'What was found.', notFound = false, hasEtag = false } = {},
): RouteDocs['responses'] {
  return {
    200: { description, content },
    ...(hasEtag && {
      304: {
        description:
          'Still what was answered with the ETag that If-None-Match names. Small answers have one.',
      },
    }),
    400: problem('BadRequest'),
    ...(notFound && { 404: problem('NotFound') }),
    500: problem('Failed'),
    503: problem('Unavailable'),
    504: problem('TookTooLong'),
  }
}

/** The responses of a tail. */
export function events(item: ComponentName): RouteDocs['responses'] {
  const schema = text(`Server-Sent Events; data of those without a name is a ${item} as JSON.`)
  return {
    200: { description: 'Events, as they come.', content: { 'text/event-stream': { schema } } },
    400: problem('BadRequest'),
    500: problem('Failed'),
    503: problem('Unavailable'),
  }
}

/** The response to a request that needs nothing but the service. */
export function answer(description: string, content: Content): Response {
  return { description, content }
}

/** A response that several routes have. */
export function problem(name: keyof typeof PROBLEM_RESPONSES) {
  return { $ref: `#/components/responses/${name}` }
}

function json(schema: JsonSchema): Content {
  return { 'application/json': { schema } }
}

function csvLines(names = ''): Content {
  return { 'text/csv': { schema: text(`RFC 4180, with a line of names first${names}.`) } }
}

function lines(item: ComponentName): Content {
  return { 'application/x-ndjson': { schema: text(`A ${item} as JSON in each line. ${NDJSON}`) } }
}
