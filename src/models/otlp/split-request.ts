import type { Rejection } from '../rejection.ts'
import type { TelemetrySignal } from '../telemetry-signal.ts'
import { PartBuilder, type PartLimits } from './part-builder.ts'
import type { OtlpEncoding } from './read-request.ts'
import { splitJson } from './split-json.ts'
import { splitProtobuf } from './split-protobuf.ts'

export interface SplitOptions extends PartLimits {
  readonly encoding: OtlpEncoding
}

/** Requests that together say the same; or why it is none. */
export type SplitRequest =
  | { readonly parts: readonly Buffer[]; readonly rejection?: undefined }
  | { readonly parts?: undefined; readonly rejection: Rejection }

/**
 * Splits an export request where it is larger than a part may be; else it is its own only part, byte by byte. Nothing is made of its records, whose bytes
 * stay as they came: what is wrong inside of one is not seen here. The same body is always split alike.
 */
export function splitRequest(body: Buffer, signal: TelemetrySignal, options: SplitOptions): SplitRequest {
  const builder = new PartBuilder(options)
  const split = options.encoding === 'json' ? splitJson : splitProtobuf
  const malformed = split(body, signal, builder)
  const rejection = builder.problem ?? malformed
  if (rejection !== undefined) return { rejection }
  const parts = builder.parts.length > 1 ? builder.parts : [body]
  const largest = Math.max(...parts.map(({ length }) => length))
  if (largest <= options.maxBytes) return { parts }
  const detail = `a record with what stands around it must have at most ${options.maxBytes} bytes, not ${largest}`
  return { rejection: { reason: 'too_large', detail } }
}
