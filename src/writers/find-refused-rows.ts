import type pg from 'pg'
import { classifyWriteFailure, messageOf, sqlStateOf } from '../errors.ts'
import { columnList, copyRuns, type EncodedCopy, type Run, runsWithout } from './copy.ts'

/** A row that PostgreSQL refused: the record it is of, and why. */
export interface RefusedRow {
  readonly position: number
  readonly sqlState: string
  readonly detail: string
}

/**
 * Finds the rows that PostgreSQL refuses, of all but those of `skip`, whatever their number. The caller takes back what was written to find them.
 *
 * The rows are copied into a temporary table that has no constraints, and inserted from there one by one in the server, each in a
 * subtransaction: one COPY and one statement, whether one row of ten thousand is refused or all are. Where that is not allowed
 * (no right to temporary tables), or the rows do not fit such a table either, they are tried {@link byPieces}.
 *
 * @throws the server's error when it is not a row's.
 */
export async function findRefusedRows(
  client: pg.ClientBase,
  copy: EncodedCopy,
  skip: ReadonlySet<number>,
): Promise<RefusedRow[]> {
  const runs = runsWithout(copy, skip, 0, copy.positions.length)
  if (runs.length === 0) return []
  await client.query('savepoint finding')
  try {
    const found = await oneByOne(client, copy, runs)
    await client.query('release savepoint finding')
    return found
  } catch (error) {
    const failure = classifyWriteFailure(error)
    if (failure !== 'data' && failure !== 'schema') throw error
    await client.query('rollback to savepoint finding')
    return byPieces(client, copy, runs)
  }
}

interface RefusedByServer {
  readonly row_number: number
  readonly sql_state: string
  readonly message: string
}

async function oneByOne(
  client: pg.ClientBase,
  copy: EncodedCopy,
  runs: readonly Run[],
): Promise<RefusedRow[]> {
  const { table, columns } = copy
  await client.query(
    `create temporary table finding on commit drop as select ${columns.join(', ')} from ${table} with no data`,
  )
  await copyRuns(client, { ...copy, table: 'pg_temp.finding' }, runs)
  await client.query(insertOneByOne(table, columns))
  const { rows } = await client.query<RefusedByServer>('select * from pg_temp.insert_one_by_one()')
  await client.query('drop table pg_temp.finding')
  const positions = runs.flatMap(({ from, to }) => copy.positions.slice(from, to))
  return rows.map(({ row_number, sql_state, message }) => ({
    position: positions[row_number - 1] ?? -1,
    sqlState: sql_state,
    detail: message,
  }))
}

/** What is a row's fault is told as in {@link classifyWriteFailure}; anything else ends the statement. */
function insertOneByOne(table: string, columns: readonly string[]): string {
  return `
    create or replace function pg_temp.insert_one_by_one()
    returns table (row_number integer, sql_state text, message text) language plpgsql as $$
    declare
      each record;
      violated text;
    begin
      row_number := 0;
      for each in select * from pg_temp.finding order by ctid loop
        row_number := row_number + 1;
        begin
          insert into ${table} ${columnList(columns)} values (${columns.map((column) => `each.${column}`).join(', ')});
        exception when others then
          get stacked diagnostics sql_state = returned_sqlstate, message = message_text, violated = constraint_name;
          if sql_state !~ '^(22|23|54)' or sql_state = '23514' and violated = '' then raise; end if;
          return next;
        end;
      end loop;
    end $$`
}

/** At first, a COPY tries this many rows. */
const PIECE_ROWS = 500

/**
 * The rows go in pieces under a savepoint each. Where a piece fails, the error's context names the row ("COPY spans, line 17"): those
 * before it and those after it are pieces of their own; where it does not, the piece is halved. So k refused rows
 * of n cost about n / 500 + 2k short COPYs.
 */
async function byPieces(
  client: pg.ClientBase,
  copy: EncodedCopy,
  runs: readonly Run[],
): Promise<RefusedRow[]> {
  const refused: RefusedRow[] = []
  const pieces: Run[] = runs.flatMap(inPieces).reverse()
  for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
    const failure = await tryPiece(client, copy, piece)
    if (failure === undefined) continue
    if (piece.to - piece.from === 1) {
      refused.push({
        position: copy.positions[piece.from] ?? -1,
        sqlState: sqlStateOf(failure) ?? '',
        detail: messageOf(failure),
      })
      continue
    }
    pieces.push(...splitAt(piece, failedLine(failure)).reverse())
  }
  return refused
}

async function tryPiece(client: pg.ClientBase, copy: EncodedCopy, piece: Run): Promise<unknown> {
  await client.query('savepoint piece')
  try {
    await copyRuns(client, copy, [piece])
  } catch (error) {
    if (classifyWriteFailure(error) !== 'data') throw error
    await client.query('rollback to savepoint piece')
    return error
  }
  await client.query('release savepoint piece')
  return undefined
}

function inPieces({ from, to }: Run): Run[] {
  const pieces: Run[] = []
  for (let start = from; start < to; start += PIECE_ROWS) {
    pieces.push({ from: start, to: Math.min(to, start + PIECE_ROWS) })
  }
  return pieces
}

function splitAt({ from, to }: Run, line: number | undefined): Run[] {
  const named = line === undefined ? -1 : from + line - 1
  const cuts =
    named >= from && named < to ? [from, named, named + 1, to] : [from, from + Math.ceil((to - from) / 2), to]
  return cuts
    .slice(1)
    .map((end, index) => ({ from: cuts[index] ?? from, to: end }))
    .filter((run) => run.from < run.to)
}

/** The line in "COPY spans, line 17, column name", whatever the server's language: the number after the second word. */
function failedLine(error: unknown): number | undefined {
  const where = (error as { where?: unknown }).where
  const match = typeof where === 'string' ? /COPY [^,]+, \S+ (\d+)/.exec(where) : null
  return match === null ? undefined : Number(match[1])
}
