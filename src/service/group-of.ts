import type { GroupOfStream } from '../ingest/consumer-group.ts'
import { streamKey } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { Settings } from '../settings.ts'

/** The stream of a signal, and the group that reads it. */
export function groupOf(settings: Settings, signal: TelemetrySignal): GroupOfStream {
  return { stream: streamKey(settings.streamPrefix, signal), group: settings.consumerGroup }
}
