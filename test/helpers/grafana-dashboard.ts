import { readdir, readFile } from 'node:fs/promises'

/** The parts of a dashboard's JSON that matter here. */
export interface GrafanaDashboard {
  readonly uid: string
  readonly title: string
  readonly schemaVersion: number
  readonly tags: readonly string[]
  readonly links?: readonly { readonly type: string; readonly tags: readonly string[] }[]
  readonly templating: { readonly list: readonly GrafanaVariable[] }
  readonly panels: readonly GrafanaPanel[]
}

export interface DataSourceName {
  readonly type: string
  readonly uid: string
}

export interface GrafanaVariable {
  readonly name: string
  readonly type: 'datasource' | 'query' | 'custom' | 'textbox'
  readonly query: string
  readonly multi?: boolean
  readonly allValue?: string
  readonly current?: { readonly value: string | readonly string[] }
  readonly datasource?: DataSourceName
}

export interface FieldProperty {
  readonly id: string
  readonly value: unknown
}

export interface GrafanaPanel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource: DataSourceName
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig: {
    readonly defaults: { readonly unit?: string }
    readonly overrides: readonly {
      readonly matcher: { readonly id: string; readonly options: string }
      readonly properties: readonly FieldProperty[]
    }[]
  }
  readonly targets: readonly {
    readonly refId: string
    readonly datasource: DataSourceName
    readonly format: string
    readonly rawSql: string
  }[]
}

const FOLDER = new URL('../../grafana/dashboards/', import.meta.url)

/** Every dashboard of the repository, of whatever data source. */
export async function readDashboards(): Promise<GrafanaDashboard[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.json')).sort()
  return Promise.all(
    names.map(async (name) => JSON.parse(await readFile(new URL(name, FOLDER), 'utf8')) as GrafanaDashboard),
  )
}
