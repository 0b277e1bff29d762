import { columnList } from './copy-table.ts'
import type { ArchivedColumn } from './rows-file.ts'

interface AbsentRows {
  /** Of what is read. */
  readonly columns: readonly ArchivedColumn[]
  /** By which columns a row is taken for another; default: all. */
  readonly comparedColumns?: readonly ArchivedColumn[]
  /** Tables or queries, as FROM takes them. */
  readonly of: string
  readonly absentIn: string
}

/**
 * SQL of the rows that another table has not: where it has a row twice and the other once, one of the two.
 *
 * Rows have no key: the ids of entries repeat in other histories of a stream. So a row is all that is in it, by a hash, for which the server sorts and joins on disk what does not fit
 * into its memory. The text of a row is that of this session on both sides.
 */
export function absentRowsSql({ columns, comparedColumns = columns, of, absentIn }: AbsentRows): string {
  return `
    select ${columnList(columns, 'a')} from (${countedSql(comparedColumns, of, columns)}) as a
     where not exists (
       select from (${countedSql(comparedColumns, absentIn)}) as b where b.content = a.content and b.copy = a.copy)`
}

/** Of a table of archived rows: which of the archives they are of. */
export const ARCHIVE_NUMBER = 'archive_number'

/**
 * The same of a table of rows of several archives, of which none has so many of such a row; then all of them, so that whatever is restored first, there are as many in the end.
 *
 * @param absentIn has a column {@link ARCHIVE_NUMBER}.
 */
export function unarchivedRowsSql({ columns, of, absentIn }: Omit<AbsentRows, 'comparedColumns'>): string {
  return `
    with counted as (${countedSql(columns, of, columns)})
    select ${columnList(columns)} from counted where content in (
      select content from counted as a
       where not exists (
         select from (${countedSql(columns, absentIn, [], ARCHIVE_NUMBER)}) as b
          where b.content = a.content and b.copy = a.copy))`
}

/**
 * The same of rows of several archives, of which a row may be in some: each as often as the archive has it that has most of it, the newest one's.
 *
 * @param of has a column {@link ARCHIVE_NUMBER}, the greater the newer.
 */
export function absentRowsOfArchivesSql({
  columns,
  comparedColumns = columns,
  of,
  absentIn,
}: AbsentRows): string {
  return `
    with counted as (${countedSql(comparedColumns, of, columns, ARCHIVE_NUMBER)}),
    once as (select distinct on (content, copy) * from counted order by content, copy, ${ARCHIVE_NUMBER} desc)
    select ${columnList(columns, 'a')} from once as a
     where not exists (
       select from (${countedSql(comparedColumns, absentIn)}) as b where b.content = a.content and b.copy = a.copy)`
}

/** Rows with what is in them, and the how many-th each is of those that are alike. */
function countedSql(
  compared: readonly ArchivedColumn[],
  from: string,
  shown: readonly ArchivedColumn[] = [],
  within?: string,
): string {
  const columns = [
    ...shown.map((column) => columnList([column], 't')),
    ...(within === undefined ? [] : [within]),
  ]
  const content = `sha256(convert_to(row(${columnList(compared, 't')})::text, 'UTF8')) as content`
  const groups = ['content', ...(within === undefined ? [] : [within])].join(', ')
  return `
      select hashed.*, row_number() over (partition by ${groups}) as copy
        from (select ${[...columns, content].join(', ')} from ${from} as t) as hashed`
}
