import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type {
  DeadLetterRepository,
  FindLetters,
  LetterJson,
} from '../../repositories/dead-letter-repository.ts'
import { terminalLine } from '../terminal-text.ts'

export interface ListOptions {
  readonly json: boolean
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: { write(text: string): unknown }
  readonly signal: AbortSignal
}

/** Columns and their widths, which are fixed: any number of letters passes through, none is kept to measure it. */
const COLUMNS = [
  ['ID', 36],
  ['REFUSED', 20],
  ['SIGNAL', 7],
  ['REASON', 19],
  ['STATE', 8],
] as const
const GAP = '  '
const TABLE_WIDTH = COLUMNS.reduce((sum, [, width]) => sum + width + GAP.length, 0)
/** A terminal too narrow for the table wraps; some of the detail is shown all the same. */
const MIN_DETAIL = 24
/** Lines are joined to about this many characters before they are written. */
const CHUNK = 16 * 1024

/** Writes the letters that match, newest first: a table, or NDJSON. A slow reader slows the query. */
export async function listLetters(
  repository: DeadLetterRepository,
  find: FindLetters,
  { json, stdout, stderr, signal }: ListOptions,
): Promise<void> {
  const rows = await repository.streamLetters(find, signal)
  const detailWidth = stdout.isTTY ? Math.max(MIN_DETAIL, (stdout.columns || 0) - TABLE_WIDTH) : undefined
  const toLine = json ? (text: string) => text : (text: string) => tableLine(JSON.parse(text), detailWidth)
  let count = 0
  const counted = (text: string): string => {
    count += 1
    return toLine(text)
  }
  const head = json ? '' : `${heading()}\n`
  await pipeline(rows, (source: Readable) => joinLines(source, head, counted), stdout, { end: false })
  if (count === 0 && !json) stderr.write('no dead letter matches\n')
}

async function* joinLines(
  rows: AsyncIterable<[string]>,
  head: string,
  toLine: (text: string) => string,
): AsyncGenerator<string> {
  let text = head
  for await (const [row] of rows) {
    text += `${toLine(row)}\n`
    if (text.length < CHUNK) continue
    yield text
    text = ''
  }
  if (text !== '') yield text
}

function heading(): string {
  return [...COLUMNS.map(([name, width]) => name.padEnd(width)), 'DETAIL'].join(GAP)
}

function tableLine(letter: LetterJson, detailWidth: number | undefined): string {
  const cells = [
    letter.id,
    `${letter.deadLetteredAt.slice(0, 19)}Z`,
    letter.signal,
    letter.reason,
    stateOf(letter),
  ].map((cell, index) => cell.padEnd(COLUMNS[index]?.[1] ?? 0))
  const detail = terminalLine(letter.detail)
  const isCut = detailWidth !== undefined && detail.length > detailWidth
  return [...cells, isCut ? `${detail.slice(0, detailWidth - 1)}…` : detail].join(GAP).trimEnd()
}

/** In which of its three states a letter is. */
export function stateOf({ purgedAt, replayedAt }: LetterJson): 'waiting' | 'replayed' | 'purged' {
  if (purgedAt !== undefined) return 'purged'
  return replayedAt === undefined ? 'waiting' : 'replayed'
}
