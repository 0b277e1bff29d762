import { isPlainObject } from '../../models/decode-fields.ts'
import { decodeTime, decodeUnixNano } from '../../models/decode-time.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'

/** The names one time may have, the one that holds unix nanoseconds first, in the decoders' order of precedence. */
type TimeNames = readonly [string, ...string[]]

const TIME: TimeNames = ['timeUnixNano', 'time']
const START: TimeNames = ['startTimeUnixNano', 'startTime']

interface SignalTimes {
  /** What the record is filed under: the first of these that it has. */
  readonly own: readonly TimeNames[]
  readonly all: readonly TimeNames[]
  /** The list whose items have a time too. */
  readonly items: string | undefined
}

const TIMES: Readonly<Record<TelemetrySignal, SignalTimes>> = {
  traces: { own: [START], all: [START, ['endTimeUnixNano', 'endTime']], items: 'events' },
  logs: {
    own: [['timeUnixNano', 'time', 'timestamp'], ['observedTimeUnixNano']],
    all: [['timeUnixNano', 'time', 'timestamp'], ['observedTimeUnixNano']],
    items: undefined,
  },
  metrics: { own: [TIME], all: [TIME, START], items: 'exemplars' },
}

type Fields = Readonly<Record<string, unknown>>

/** The time of a record (a span's start) in unix nanoseconds; undefined when it has none that can be read. */
export function recordTime(telemetrySignal: TelemetrySignal, record: Fields): bigint | undefined {
  for (const names of TIMES[telemetrySignal].own) {
    const time = readTime(record, names)
    if (time !== undefined) return time
  }
  return undefined
}

/** Moves all times of a record, to the nanosecond. What cannot be read stays: the decoder says what is wrong with it. */
export function shiftTimes(
  telemetrySignal: TelemetrySignal,
  record: Record<string, unknown>,
  byNanos: bigint,
): void {
  const { all, items } = TIMES[telemetrySignal]
  for (const names of all) shiftTime(record, names, byNanos)
  const list = items === undefined ? undefined : record[items]
  if (!Array.isArray(list)) return
  for (const item of list) if (isPlainObject(item)) shiftTime(item, TIME, byNanos)
}

function shiftTime(record: Record<string, unknown>, names: TimeNames, byNanos: bigint): void {
  const time = readTime(record, names)
  if (time === undefined) return
  const [unixNano, ...shorthands] = names
  for (const name of shorthands) delete record[name]
  record[unixNano] = String(time + byNanos)
}

/** Zero is OTLP's word for a time that is not known. */
function readTime(record: Fields, [unixNano, ...shorthands]: TimeNames): bigint | undefined {
  const exact = decodeUnixNano(record[unixNano])
  if (exact !== undefined && exact !== 0n) return exact
  for (const name of shorthands) {
    const time = decodeTime(record[name])
    if (time !== undefined && time !== 0n) return time
  }
  return undefined
}
