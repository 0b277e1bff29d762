import { ObservatoryError } from '../../errors.ts'
import { readCsvRows } from './csv-rows.ts'
import type { InputChunk, InputRecord } from './input-record.ts'

/** Makes records of a file's rows. */
type RowReader = (cells: readonly string[]) => Record<string, unknown>

/**
 * Reads a CSV file whose first row names the columns.
 *
 * @throws ObservatoryError ERR_USAGE if that row cannot be read, has another separator than the comma or names a column twice,
 *   and what `forColumns` throws.
 */
export async function* readCsv(
  chunks: AsyncIterable<Buffer>,
  forColumns: (columns: readonly string[]) => RowReader,
): AsyncGenerator<InputChunk> {
  let columns: readonly string[] | undefined
  let toRecord: RowReader | undefined
  for await (const { rows, bytesRead } of readCsvRows(chunks)) {
    const records: InputRecord[] = []
    for (const { line, cells, rejection } of rows) {
      if (columns === undefined || toRecord === undefined) {
        columns = columnNames(cells, rejection?.detail)
        toRecord = forColumns(columns)
      } else if (rejection !== undefined) {
        records.push({ line, rejection })
      } else if (cells.length !== columns.length) {
        const detail = `the row has ${cells.length} cells, the header ${columns.length}`
        records.push({ line, rejection: { reason: 'unknown_form', detail } })
      } else {
        records.push({ line, record: toRecord(cells) })
      }
    }
    yield { records, bytesRead }
  }
}

function columnNames(cells: readonly string[] | undefined, problem: string | undefined): readonly string[] {
  if (cells === undefined)
    throw new ObservatoryError('ERR_USAGE', `the header of the CSV cannot be read: ${problem}`)
  const names = cells.map((cell) => cell.trim())
  const [, separator] = /([;\t|])/.exec(names.length === 1 ? (names[0] ?? '') : '') ?? []
  if (separator !== undefined) {
    throw new ObservatoryError(
      'ERR_USAGE',
      `the header of the CSV has no comma but ${JSON.stringify(separator)}; expected columns separated by commas`,
    )
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new ObservatoryError(
      'ERR_USAGE',
      `the header of the CSV names the column "${twice}" twice; rename one of them`,
    )
  }
  return names
}
