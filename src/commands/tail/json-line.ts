import type { Format } from './line.ts'

/** What a terminal acts on: see `terminalText`. In JSON the line feed is none of what a text may hold. */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * A record as it came, on one line.
 *
 * @param isTerminal whether to write what a terminal would act on as `\u202e`: the same JSON in other words.
 */
export function jsonLine(isTerminal: boolean): Format {
  return (json) => {
    // Between its members JSON may have line feeds.
    const line = json.includes('\n') ? json.replaceAll(/[\r\n]+/g, ' ') : json
    return [{ text: isTerminal ? escapeAsJson(line) : line }]
  }
}

/** A text of JSON, or what stands in quotes there, without characters that a terminal acts on. */
export function escapeAsJson(text: string): string {
  return text.toWellFormed().replaceAll(ACTIVE, unitEscapes)
}

function unitEscapes(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
