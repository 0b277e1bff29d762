import { type DecodeContext, refuse } from './decode-context.ts'
import { type Fields, isPlainObject, typeOf } from './decode-fields.ts'
import { approximateBytes } from './record-size.ts'

/** Begins a decoder: the fields of a loose record, or undefined when it is refused as a whole. */
export function beginRecord(input: unknown, context: DecodeContext): Fields | undefined {
  context.rejection = undefined
  if (!isPlainObject(input)) {
    return refuse(context, 'wrong_type', `a record must be an object, not ${typeOf(input)}`)
  }
  const { maxRecordBytes } = context.limits
  if (context.entryBytes > maxRecordBytes && approximateBytes(input, maxRecordBytes) > maxRecordBytes) {
    return refuse(context, 'too_large', `a record must have at most ${maxRecordBytes} bytes`)
  }
  return input
}
