import { ObservatoryError } from '../../errors.ts'
import type { Paint } from '../query/paint.ts'
import { terminalLine } from '../terminal-text.ts'
import { jsonLine } from './json-line.ts'
import type { Format } from './line.ts'
import { lineMatches } from './line-matches.ts'
import { logfmtLine } from './logfmt-line.ts'
import { prettyLine } from './pretty-line.ts'
import type { TailFlags } from './tail-flags.ts'
import type { TailedSignal } from './tailed-signal.ts'
import { templateLine } from './template-line.ts'

export interface LineOptions {
  readonly isTerminal: boolean
  readonly paint: Paint
  /** Unix milliseconds. */
  readonly now?: () => number
}

/** The line that a record is written as, with its colors; undefined for one that is left out. */
export type LineOfRecord = (json: string) => string | undefined

/** @throws ObservatoryError ERR_USAGE for a template or a pattern that is none. */
export function lineOfRecord(
  signal: TailedSignal,
  flags: TailFlags,
  { isTerminal, paint, now = Date.now }: LineOptions,
): LineOfRecord {
  const format = formatOf(signal, flags, isTerminal, now)
  const { include = [], exclude = [], highlight = [] } = flags
  const matches = lineMatches({ include, exclude, highlight })
  return (json) =>
    matches(orAsItCame(format, json))
      ?.map(({ text, style, isMatch }) => paint(isMatch === true ? paint(text, 'match') : text, style))
      .join('')
}

function formatOf(
  { signal }: TailedSignal,
  { output, template, utc = false, fullIds = false }: TailFlags,
  isTerminal: boolean,
  now: () => number,
): Format {
  if (template !== undefined && output !== undefined && output !== 'template')
    throw new ObservatoryError('ERR_USAGE', `--template cannot be used with --output ${output}`)
  if (template !== undefined) return templateLine(template)
  switch (output ?? (isTerminal ? 'pretty' : 'json')) {
    case 'pretty':
      return prettyLine(signal, { utc, fullIds, now })
    case 'json':
      return jsonLine(isTerminal)
    case 'logfmt':
      return logfmtLine
    case 'template':
      throw new ObservatoryError(
        'ERR_USAGE',
        "--output template needs --template '{{time}} {{service}} {{body}}'",
      )
  }
}

/** A record of a shape that is not known is not kept back. */
function orAsItCame(format: Format, json: string): ReturnType<Format> {
  try {
    return format(json)
  } catch {
    return [{ text: terminalLine(json) }]
  }
}
