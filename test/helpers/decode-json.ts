import type { RecordBySignal } from '../../src/models/decode-record.ts'
import { parseJson } from '../../src/models/json.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { RecordDecoder } from '../../src/writers/record-decoder.ts'

/** The records that the JSON of an entry holds, in normal form. */
export function decodeJson<S extends TelemetrySignal>(signal: S, json: string): readonly RecordBySignal[S][] {
  const decoder = new RecordDecoder<RecordBySignal[S]>(signal)
  const context = { ...decoder.context(Date.now()), suspicious: true }
  const { records, letters } = decoder.decodeAll([parseJson(json).value].flat(), context)
  if (letters.length > 0) throw new Error(`a record was refused: ${JSON.stringify(letters)}`)
  return records
}
