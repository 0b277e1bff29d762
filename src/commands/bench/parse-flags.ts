import { InvalidArgumentError, Option } from 'commander'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { RECORD_NAMES } from './signal-tables.ts'

/** An option that takes some words of a list, separated by commas. */
export function listOption(flags: string, words: readonly string[], what: string): Option {
  return new Option(flags, `${what}: ${words.join(', ')}`).argParser((text) => parseList(text, words))
}

/** The signals of `spans,logs,points`. */
export function parseSignals(text: string): readonly TelemetrySignal[] {
  const names = parseList(text, Object.values(RECORD_NAMES))
  const signals = Object.keys(RECORD_NAMES) as readonly TelemetrySignal[]
  return signals.filter((signal) => names.includes(RECORD_NAMES[signal]))
}

/** The words, in the order of the list. */
export function parseList<T extends string>(text: string, known: readonly T[]): readonly T[] {
  const words = text.split(',').map((word) => word.trim())
  const unknown = words.find((word) => !known.includes(word as T))
  if (unknown !== undefined)
    throw new InvalidArgumentError(`Expected some of ${known.join(',')}, not "${unknown}".`)
  return known.filter((word) => words.includes(word))
}

/** A whole number from 1 on. */
export function parseCount(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('Expected a number from 1 on.')
  return number
}
