/** What a variable is set to: several values where it is a multi one, `all` where All is chosen. */
export type VariableValue = string | readonly string[] | { readonly all: string }

export interface GrafanaScope {
  readonly from: Date
  readonly to: Date
  /** Of a bucket, in seconds. */
  readonly intervalSeconds: number
  readonly variables: Readonly<Record<string, VariableValue>>
}

/** Expands a query of a dashboard as Grafana does before it sends it to PostgreSQL: variables in the browser, then macros in its server. */
export function expandGrafanaSql(sql: string, scope: GrafanaScope): string {
  return expandMacros(expandVariables(sql, scope), scope)
}

/** `$name` as the PostgreSQL data source quotes it, `${name:sqlstring}` as that format does. All, where it has a text of its own, is put in as it is. */
function expandVariables(sql: string, { variables, intervalSeconds }: GrafanaScope): string {
  return sql.replaceAll(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (written, braced, format, bare) => {
    const name: string = braced ?? bare
    if (name === '__interval') return `${intervalSeconds}s`
    const value = variables[name]
    if (value === undefined) return written
    if (typeof value === 'object' && 'all' in value) return value.all
    if (format === 'sqlstring') return [value].flat().map(sqlString).join(',')
    if (format !== undefined) throw new Error(`this test does not know the format of ${written}`)
    // Of a variable that is not a multi one it only doubles the quotes: such are always to be written with a format.
    if (typeof value === 'string') throw new Error(`${written} is not quoted: write \${${name}:sqlstring}`)
    return value.map((each) => `'${each.replaceAll("'", "''")}'`).join(',')
  })
}

/** The format knows no database: it puts a backslash before `"`, which PostgreSQL keeps. */
function sqlString(value: string): string {
  return `'${value.replaceAll("'", "''").replaceAll('"', '\\"')}'`
}

/** Arguments end at the first parenthesis. What looks like a macro and is none is an error. */
function expandMacros(sql: string, { from, to }: GrafanaScope): string {
  const [since, until] = [`'${from.toISOString()}'`, `'${to.toISOString()}'`]
  return sql.replaceAll(/\$(\w+)\(([^)]*)\)/g, (written, name: string, list: string, at: number) => {
    const [column = '', interval = ''] = list.split(',').map((argument) => argument.trim())
    switch (name) {
      case '__timeFilter':
        return `${column} BETWEEN ${since} AND ${until}`
      case '__timeFrom':
        return since
      case '__timeTo':
        return until
      case '__timeGroup': {
        const seconds = Number(/^'?(\d+)s'?$/.exec(interval)?.[1])
        const bucket = `floor(extract(epoch from ${column})/${seconds})*${seconds}`
        return sql[at + written.length] === ',' ? `${bucket} AS "time"` : bucket
      }
      default:
        throw new Error(`Grafana knows no macro ${written}`)
    }
  })
}
