import type { LogRecord } from '../records.ts'

/** Levels of log records, the least severe first: bands of four of OpenTelemetry's severity numbers. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof LEVELS)[number]

/** The level of a log record, empty where it has none. */
export function levelOf({ severityNumber = 0 }: Pick<LogRecord, 'severityNumber'>): Level | '' {
  return LEVELS[Math.floor((severityNumber - 1) / 4)] ?? ''
}
