import { Readable } from 'node:stream'
import { DECIMAL_SCALE, type ParquetColumn, type ParquetType } from '../../parquet/parquet-column.ts'
import { ParquetEncoder } from '../../parquet/parquet-encoder.ts'
import { type CountedBody, RowCount } from './row-count.ts'

/** What the driver of PostgreSQL has as text. */
const VALUE_OF: Readonly<Partial<Record<ParquetType, (value: never) => unknown>>> = {
  int64: BigInt,
  timestampNanos: BigInt,
  decimal: unscaled,
  int64List: (values: readonly string[]) => values.map(BigInt),
}

/**
 * Rows in the types of the driver as a Parquet file, a group of rows at a time; a slow reader slows the rows.
 *
 * Nothing comes before the first group of rows or their end, so that a query that fails at once can still be answered with its status. Later, an error of the rows destroys the
 * body: what was sent has no footer, without which no reader takes it.
 */
export function parquetBody(rows: Readable, columns: readonly ParquetColumn[]): CountedBody {
  const counted = new RowCount()
  const body = Readable.from(chunks(rows, columns, counted), { objectMode: false })
  body.once('close', () => rows.destroy())
  return Object.assign(body, { counted })
}

async function* chunks(
  rows: Readable,
  columns: readonly ParquetColumn[],
  counted: RowCount,
): AsyncGenerator<Buffer> {
  const encoder = new ParquetEncoder(columns)
  const convert = columns.map(({ type }) => VALUE_OF[type] as ((value: unknown) => unknown) | undefined)
  try {
    for await (const row of rows as AsyncIterable<unknown[]>) {
      counted.add(1)
      convert.forEach((of, place) => {
        const value = row[place]
        if (of !== undefined && value !== null) row[place] = of(value)
      })
      if (encoder.add(row)) yield await encoder.endGroup()
    }
    yield await encoder.finish()
  } catch (error) {
    counted.error = error
    throw error
  }
}

/** A decimal text of at most {@link DECIMAL_SCALE} digits after the point as the number of its last place. */
function unscaled(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(`${whole}${fraction.padEnd(DECIMAL_SCALE, '0')}`)
}
