import type { Rejection } from '../rejection.ts'
import type { TelemetrySignal } from '../telemetry-signal.ts'
import { type Field, type Message, RECORD_PATHS, REQUEST_MESSAGES } from './otlp-messages.ts'
import type { PartBuilder, Wrap } from './part-builder.ts'
import { DELIMITED, WireReader } from './wire-reader.ts'
import { delimitedField } from './wire-writer.ts'

const PATHS = Object.values(RECORD_PATHS)
/** Messages that hold the records of a request, by the name of the field they are in; and the fields that the records are in. */
const HOLDERS: ReadonlySet<string> = new Set(PATHS.flatMap((path) => path.slice(0, -1).flat()))
const RECORDS: ReadonlySet<string> = new Set(PATHS.flatMap((path) => path.at(-1) ?? []))

/** A resource, a scope, a schema URL, and what later versions add to them. */
const MAX_OWN_FIELDS = 1000
const TOO_MANY: Rejection = {
  reason: 'too_large',
  detail: `a message around records must have at most ${MAX_OWN_FIELDS} fields of its own`,
}

/** Gives a builder the records of a protobuf request. @returns why it is none. */
export function splitProtobuf(
  bytes: Buffer,
  signal: TelemetrySignal,
  builder: PartBuilder,
): Rejection | undefined {
  const reader = new WireReader(bytes)
  splitMessage(reader, REQUEST_MESSAGES[signal], builder, (header, held) => Buffer.concat([header, ...held]))
  return reader.problem
}

/**
 * Reads a message up to its end, twice: its own fields may come behind what it holds.
 *
 * @returns whether it holds anything that its reader takes: of a metric with several kinds of data it takes none.
 */
function splitMessage(reader: WireReader, message: Message, builder: PartBuilder, wrap: Wrap): boolean {
  const start = reader.position
  const { own, isHolder: holds } = readOwnFields(reader, message)
  if (!holds) return false
  builder.open(own, wrap)
  reader.position = start
  while (reader.isInside && builder.problem === undefined) {
    const from = reader.position
    const tag = reader.uint32()
    const field = message[tag >>> 3]
    if (field?.message !== undefined && isHolder(field, tag)) {
      const outer = reader.enter()
      const wrapHeld: Wrap = (header, held) => delimitedField(tag >>> 3, [header, ...held])
      const holds = splitMessage(reader, field.message(), builder, wrapHeld)
      reader.leave(outer)
      // What it would have held its reader may not know.
      if (!holds && reader.problem === undefined) builder.add(reader.bytes.subarray(from, reader.position))
    } else {
      reader.skip(tag & 7)
      if (isRecord(field, tag) && reader.problem === undefined)
        builder.add(reader.bytes.subarray(from, reader.position))
    }
  }
  builder.close()
  return true
}

/** The fields of a message that hold no records, as they came. */
function readOwnFields(
  reader: WireReader,
  message: Message,
): { readonly own: Buffer; readonly isHolder: boolean } {
  const own: Buffer[] = []
  let holder: number | undefined
  let isAmbiguous = false
  while (reader.isInside) {
    const from = reader.position
    const tag = reader.uint32()
    reader.skip(tag & 7)
    if (reader.problem !== undefined) break
    const field = message[tag >>> 3]
    if (isHolder(field, tag) || isRecord(field, tag)) {
      isAmbiguous ||= holder !== undefined && holder !== tag
      holder = tag
    } else own.push(reader.bytes.subarray(from, reader.position))
    if (own.length > MAX_OWN_FIELDS) reader.fail(TOO_MANY)
  }
  return { own: Buffer.concat(own), isHolder: holder !== undefined && !isAmbiguous }
}

function isHolder(field: Field | undefined, tag: number): boolean {
  return (tag & 7) === DELIMITED && field !== undefined && HOLDERS.has(field.name)
}

function isRecord(field: Field | undefined, tag: number): boolean {
  return (tag & 7) === DELIMITED && field !== undefined && RECORDS.has(field.name)
}
