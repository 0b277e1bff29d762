import { RE2JS } from 're2js'
import { messageOf, ObservatoryError } from '../../errors.ts'
import { type Line, lineText, type Segment } from './line.ts'

export interface LinePatterns {
  /** A line is shown if any of these is in it, and highlighted where they are; where there are none, every line. */
  readonly include: readonly string[]
  /** A line is left out if any of these is in it. */
  readonly exclude: readonly string[]
  /** Highlighted. */
  readonly highlight: readonly string[]
}

/**
 * Chooses lines by what is read in them, and marks it. Patterns are RE2's: what they take is linear in the line, which comes from anybody.
 *
 * @returns the line, its matches in a style of their own; undefined for one that is left out.
 * @throws ObservatoryError ERR_USAGE for what is no pattern.
 */
export function lineMatches(patterns: LinePatterns): (line: Line) => Line | undefined {
  const include = patterns.include.map((pattern) => compile('--include', pattern))
  const exclude = patterns.exclude.map((pattern) => compile('--exclude', pattern))
  const marked = [...include, ...patterns.highlight.map((pattern) => compile('--highlight', pattern))]
  if (marked.length + exclude.length === 0) return (line) => line
  return (line) => {
    const text = lineText(line)
    if (include.length > 0 && !include.some((pattern) => pattern.matcher(text).find())) return undefined
    if (exclude.some((pattern) => pattern.matcher(text).find())) return undefined
    return marked.length === 0 ? line : mark(line, rangesOf(text, marked))
  }
}

type Range = readonly [start: number, end: number]

function compile(flag: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    const problem = messageOf(error).replace(/^error parsing regexp: /, '')
    throw new ObservatoryError('ERR_USAGE', `${flag} is no regular expression (RE2): ${problem}`)
  }
}

/** Where the patterns match, in order and without overlap. */
function rangesOf(text: string, patterns: readonly RE2JS[]): readonly Range[] {
  const found: Range[] = []
  for (const pattern of patterns) {
    const matcher = pattern.matcher(text)
    while (matcher.find()) if (matcher.end() > matcher.start()) found.push([matcher.start(), matcher.end()])
  }
  const ranges: Range[] = []
  for (const [start, end] of found.sort(([a], [b]) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && start <= last[1]) ranges[ranges.length - 1] = [last[0], Math.max(last[1], end)]
    else ranges.push([start, end])
  }
  return ranges
}

/** Cuts the segments where matches begin and end. */
function mark(line: Line, ranges: readonly Range[]): Line {
  const marked: Segment[] = []
  let at = 0
  let next = 0
  for (const { text, style } of line) {
    const end = at + text.length
    for (let from = at; from < end; ) {
      const [start, stop] = ranges[next] ?? [end, end]
      const isMatch = start <= from
      const to = Math.min(end, isMatch ? stop : start)
      marked.push({ text: text.slice(from - at, to - at), style, isMatch: isMatch && from < stop })
      if (to === stop) next += 1
      from = to
    }
    at = end
  }
  return marked
}
