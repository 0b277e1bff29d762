import type { LogRecord } from './log-record.ts'

/** Where the name of an event stands that is not in a log record's own field: OpenTelemetry's way before 1.33 (2025), and that of Azure Monitor. */
const KEYS = ['event.name', 'microsoft.custom_event.name'] as const

/** Whether an attribute of this name says which event a log record is. */
export function isEventNameKey(key: string): boolean {
  return KEYS.some((each) => each === key)
}

/** Which event a log record is. */
export function eventNameOf({
  eventName,
  attributes,
}: Pick<LogRecord, 'eventName' | 'attributes'>): string | undefined {
  const names = [eventName, ...KEYS.map((key) => attributes[key])]
  return names.find((name): name is string => typeof name === 'string' && name !== '')
}
