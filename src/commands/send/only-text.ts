import { ObservatoryError } from '../../errors.ts'

/** How files begin that are mistaken for CSV or NDJSON, and what to do with them. */
const OTHERS: readonly (readonly [beginning: readonly number[], advice: string])[] = [
  [[0x1f, 0x8b], 'is compressed by gzip; expected text: gunzip -c FILE | observatory send …'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'is compressed by zstd; expected text: zstd -dc FILE | observatory send …'],
  [[0x50, 0x4b, 0x03, 0x04], 'is a ZIP archive or an Excel workbook; expected text: export it as CSV'],
  [[0xff, 0xfe], 'is UTF-16; expected UTF-8: iconv -f UTF-16 -t UTF-8 FILE | observatory send …'],
  [[0xfe, 0xff], 'is UTF-16; expected UTF-8: iconv -f UTF-16 -t UTF-8 FILE | observatory send …'],
]

/**
 * Passes an input on, unless its first bytes say that it is no UTF-8 text: each of its lines would be refused without a word about why.
 *
 * @throws ObservatoryError ERR_USAGE with what to do.
 */
export async function* onlyText(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of chunks) {
    if (isFirst) {
      const other = OTHERS.find(([beginning]) => beginning.every((byte, at) => chunk[at] === byte))
      if (other !== undefined) throw new ObservatoryError('ERR_USAGE', `the input ${other[1]}`)
    }
    isFirst = false
    yield chunk
  }
}
