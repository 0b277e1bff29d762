import type pg from 'pg'
import { codeOf } from '../../errors.ts'
import { terminalLine } from '../terminal-text.ts'
import { type Finding, ok, warn } from './finding.ts'

/** A busy day is tens of millions of spans: it is looked through for so long, and no longer. */
const PATIENCE_MS = 10_000
const QUERY_CANCELED = '57014'
const SHOWN = 20

const UNPRICED = `
  select model, coalesce(provider, 'unknown provider') as provider, count(*)::int as calls
  from llm_calls
  where start_time >= now() - interval '1 day' and cost is null
    and (input_tokens is not null or output_tokens is not null)
  group by 1, 2 order by 3 desc, 1 limit ${SHOWN}`

interface UnpricedModel {
  readonly model: string
  readonly provider: string
  readonly calls: number
}

/** The models of the last day's calls for which no price is known. */
export async function findUnpricedModels(client: pg.Client): Promise<Finding> {
  const check = 'Prices of models'
  const { rows } = await client.query<{ exists: boolean }>(
    `select to_regclass('llm_calls') is not null as exists`,
  )
  if (rows[0]?.exists !== true) return ok(check, 'nothing stored yet')
  try {
    const models = await readModels(client)
    if (models.length === 0) return ok(check, 'known for all calls of the last day')
    const list = models.map(({ model, provider, calls }) =>
      terminalLine(`${model} (${provider}, ${calls} calls)`),
    )
    return warn(
      check,
      `unknown in the last day: ${list.join(', ')}`,
      'Put their prices into a file, set PRICES_FILE to it, start the service again and run observatory reprice --from -1d.',
    )
  } catch (error) {
    if (codeOf(error) !== QUERY_CANCELED) throw error
    return ok(check, `not looked at: that took more than ${PATIENCE_MS / 1000} s`)
  }
}

async function readModels(client: pg.Client): Promise<readonly UnpricedModel[]> {
  await client.query(`set statement_timeout = ${PATIENCE_MS}`)
  try {
    return (await client.query<UnpricedModel>(UNPRICED)).rows
  } finally {
    await client.query('reset statement_timeout')
  }
}
