const KEYS: Readonly<Record<string, string>> = {
  resources: 'resource_id',
  scopes: 'scope_id',
  metrics: 'metric_id',
  metric_series: 'series_id',
}

/** The tables of what repeats. */
export const INTERNED_TABLES: readonly string[] = Object.keys(KEYS)

/** The id of such a table. @throws RangeError for another table. */
export function internedKey(table: string): string {
  const key = KEYS[table]
  if (key === undefined) throw new RangeError(`${table} is no table of interned content`)
  return key
}

interface InternedTable {
  readonly table: string
  /** What comes after FROM: which rows, in the order of their ids. */
  readonly sql: string
}

/** The tables that rows with these columns refer to, and which of their rows those of a partition do: with them an archive can be restored into an empty database. */
export function internedTables(columns: ReadonlySet<string>, partition: string): readonly InternedTable[] {
  const bySeries = columns.has('series_id')
  const tables = INTERNED_TABLES.filter((table) => bySeries || columns.has(internedKey(table)))
  return tables.map((table) => {
    const key = internedKey(table)
    const series = `select series_id from only ${partition}`
    const ids =
      bySeries && key !== 'series_id'
        ? `select ${key} from metric_series where series_id in (${series})`
        : `select ${key} from only ${partition}`
    return { table, sql: `where ${key} in (${ids}) order by ${key}` }
  })
}
