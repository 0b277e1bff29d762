import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface PrometheusPrograms {
  readonly prometheus: string
  readonly promtool: string
}

/** The programs of Prometheus; undefined where one is missing, which is told on standard error. Looked for as scripts/setup.mjs does. */
export function findPrometheus(): PrometheusPrograms | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  const find = (name: string) => folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
  const prometheus = find('prometheus')
  const promtool = find('promtool')
  if (prometheus !== undefined && promtool !== undefined) return { prometheus, promtool }
  process.stderr.write('what Prometheus sees is not tested: no prometheus and promtool on the PATH\n')
  return undefined
}
