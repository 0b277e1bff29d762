import type { ErasureContext, RunningErasure } from './erasure-context.ts'
import { addToErasure } from './erasure-records.ts'
import { NamedInBytes, traceIdsIn } from './named-in-bytes.ts'

/** Letters of a look: at most so many, and so many bytes of payload, but one in any case. */
const PAGE_LETTERS = 500
const PAGE_BYTES = 8 * 1024 * 1024

const PAGE = `
  select letter_id, payload, detail from (
    select letter_id, payload, detail, row_number() over page as number, sum(payload_bytes) over page as bytes
      from (select * from dead_letters where letter_id > $1 and purged_at is null order by letter_id limit ${PAGE_LETTERS}) as next
    window page as (order by letter_id)
  ) as page where bytes <= ${PAGE_BYTES} or number = 1 order by letter_id`

interface LetterRow {
  readonly letter_id: string
  readonly payload: Buffer | null
  readonly detail: string
}

/**
 * Purges dead letters in which an id of the person stands, or that of a marked trace: what they hold could not be read, so it is not asked as what. The letters themselves stay, for the ledger
 * counts them.
 */
export async function eraseLetters(context: RunningErasure): Promise<number> {
  const { client, person, signal, erasureId, onProgress } = context
  const named = new NamedInBytes(person)
  let erased = 0
  for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
    signal.throwIfAborted()
    const { rows } = await client.query<LetterRow>(PAGE, [after])
    const last = rows.at(-1)
    if (last === undefined) return erased
    after = last.letter_id
    const going: string[] = []
    for (const { letter_id, payload, detail } of rows) {
      const texts = [payload ?? Buffer.alloc(0), Buffer.from(detail)]
      if (texts.some((bytes) => named.isIn(bytes)) || (await isOfTrace(context, texts))) going.push(letter_id)
    }
    if (erasureId === undefined) erased += going.length
    else if (going.length > 0) {
      await client.query('begin')
      const { rowCount } = await client.query(
        `update dead_letters set purged_at = now(), detail = '', payload = null where letter_id = any($1::uuid[])`,
        [going],
      )
      await addToErasure(client, erasureId, { letters: rowCount ?? 0 })
      await client.query('commit')
      erased += rowCount ?? 0
    }
    onProgress({ step: 'erasing', what: 'dead letters', rows: erased })
  }
}

/** Whether a marked trace stands in any of the bytes. */
async function isOfTrace({ client }: ErasureContext, texts: readonly Buffer[]): Promise<boolean> {
  const ids = texts.flatMap(traceIdsIn)
  if (ids.length === 0) return false
  const { rows } = await client.query<{ marked: boolean }>(
    'select exists (select from erasing_traces where trace_id = any($1::uuid[])) as marked',
    [ids],
  )
  return rows[0]?.marked === true
}
