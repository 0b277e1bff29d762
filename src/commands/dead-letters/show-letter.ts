import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ObservatoryError } from '../../errors.ts'
import { ENTRY_MAX_BYTES } from '../../models/stream-entry.ts'
import type { DeadLetterRepository, LetterJson } from '../../repositories/dead-letter-repository.ts'
import { terminalLine } from '../terminal-text.ts'
import { stateOf } from './list-letters.ts'
import { readablePayload } from './readable-payload.ts'

export interface ShowOptions {
  /** For people; as JSON; or the bytes of the payload alone. */
  readonly form: 'readable' | 'json' | 'raw'
  readonly stdout: NodeJS.WritableStream
  readonly signal: AbortSignal
}

/** Writes one letter. @throws ObservatoryError ERR_USAGE when there is none of this id, or no payload to write as bytes. */
export async function showLetter(
  repository: DeadLetterRepository,
  id: string,
  { form, stdout, signal }: ShowOptions,
): Promise<void> {
  const letter = await repository.find(id)
  if (letter === undefined) {
    throw new ObservatoryError(
      'ERR_USAGE',
      `there is no dead letter ${id}; see "observatory dead-letters list"`,
    )
  }
  if (form === 'raw' && !letter.payloadKept) {
    throw new ObservatoryError('ERR_USAGE', `the dead letter ${id} has no payload: ${whyNone(letter)}`)
  }
  const output =
    form === 'raw' ? repository.readPayload(id) : await texts(repository, letter, { form, signal })
  await pipeline(Readable.from(output), stdout, { end: false, signal })
}

async function texts(
  repository: DeadLetterRepository,
  letter: LetterJson,
  { form, signal }: Pick<ShowOptions, 'form' | 'signal'>,
): Promise<string[]> {
  const { id } = letter
  if (form === 'json') {
    const rows = await repository.streamLetters(
      { ids: [id], withPurged: true, withPayload: true, limit: 1 },
      signal,
    )
    return (await rows.toArray()).map(([json]) => `${JSON.stringify(JSON.parse(json), null, 2)}\n`)
  }
  const payload = Buffer.concat(await Readable.from(repository.readPayload(id, ENTRY_MAX_BYTES)).toArray())
  return [describeLetter(letter), describePayload(letter, payload)]
}

function describeLetter(letter: LetterJson): string {
  const { recordIndex, replayedAt, replayedRows, purgedAt } = letter
  const state = {
    waiting: 'waiting to be replayed or purged',
    replayed: `replayed ${replayedAt} (rows: ${replayedRows})`,
    purged: `purged ${purgedAt}${replayedAt === undefined ? '' : `, replayed ${replayedAt}`}`,
  }[stateOf(letter)]
  const lines = [
    ['id', letter.id],
    ['refused', letter.deadLetteredAt],
    ['state', state],
    ['signal', letter.signal],
    ['stream', letter.stream],
    ['entry', letter.entryId],
    ['record', recordIndex === -1 ? 'the whole entry' : String(recordIndex)],
    ['reason', letter.reason],
    ['detail', letter.detail],
    ['sqlstate', letter.sqlState],
    ['replay of', letter.replayOf],
  ]
  return lines.map(([name, text]) => (text ? `${name?.padEnd(10)}${terminalLine(text)}\n` : '')).join('')
}

function describePayload(letter: LetterJson, payload: Buffer): string {
  const { payloadBytes, payloadForm } = letter
  if (!letter.payloadKept) return `payload   ${payloadBytes} bytes, gone: ${whyNone(letter)}\n`
  const isCut = payload.length < payloadBytes
  const shown = isCut ? `, the first ${payload.length} of them here (--raw writes all)` : ''
  return `payload   ${payloadBytes} bytes, ${FORMS[payloadForm] ?? payloadForm}${shown}\n\n${readablePayload(payloadForm, payload)}\n`
}

const FORMS: Readonly<Record<string, string>> = {
  record: 'one record',
  json: 'the json field of the entry',
  entry: 'all fields of the entry',
}

function whyNone({ purgedAt }: LetterJson): string {
  return purgedAt === undefined ? 'it was not kept (DEAD_LETTER_PAYLOAD)' : `purged ${purgedAt}`
}
