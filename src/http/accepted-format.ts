import type { FastifyRequest } from 'fastify'
import { type BodyFormat, contentTypeOf } from './routes/query-parameters.ts'

/**
 * The format that a client likes most of those that there are, as its header Accept says (RFC 9110, 12.5.1). One that is named goes before one that is only not refused, then what is named first;
 * where it likes none of them, it has the first.
 */
export function acceptedFormat<Format extends BodyFormat>(
  accept: string | undefined,
  offered: readonly [Format, ...Format[]],
): Format {
  const ranges = (accept ?? '').toLowerCase().split(',').map(rangeOf)
  const [usual, ...others] = offered
  let best = { format: usual, quality: 0, precision: 0, position: 0 }
  for (const format of [usual, ...others]) {
    const [type = ''] = contentTypeOf(format).split(';')
    const matching = ranges
      .map((range, position) => ({ ...range, position }))
      .filter(({ name }) => matches(name, type))
    const [range] = matching.sort((a, b) => b.precision - a.precision)
    if (range !== undefined && isBefore(range, best)) best = { ...range, format }
  }
  return best.format
}

/** As asked for by `format`, else by the header Accept. */
export function formatOf<Format extends BodyFormat>(
  {
    query,
    headers,
  }: { readonly query: { readonly format?: Format }; readonly headers: FastifyRequest['headers'] },
  offered: readonly [Format, ...Format[]],
): Format {
  return query.format ?? acceptedFormat(headers.accept, offered)
}

interface Rank {
  readonly quality: number
  /** 2 of a type, 1 of `text/*`, 0 of anything. */
  readonly precision: number
  /** In the header. */
  readonly position: number
}

function isBefore(a: Rank, b: Rank): boolean {
  if (a.quality !== b.quality) return a.quality > b.quality
  if (a.precision !== b.precision) return a.precision > b.precision
  return a.position < b.position
}

function rangeOf(text: string): {
  readonly name: string
  readonly quality: number
  readonly precision: number
} {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim())
  const [quality = 1] = parameters.flatMap((each) => (each.startsWith('q=') ? [Number(each.slice(2))] : []))
  return {
    name,
    quality: Number.isNaN(quality) ? 1 : quality,
    precision: name === '*/*' ? 0 : name.endsWith('/*') ? 1 : 2,
  }
}

function matches(range: string, type: string): boolean {
  return range === '*/*' || range === type || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)))
}
