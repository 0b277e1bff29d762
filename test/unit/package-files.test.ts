import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string) => readFileSync(`${ROOT}${path}`, 'utf8')

test('who installs the package has the dashboards, alerts and role that the README names, and the runbook that each alert leads to', () => {
  const args = ['pack', '--dry-run', '--ignore-scripts', '--json']
  const [packed] = JSON.parse(
    execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', timeout: 30_000 }),
  ) as [{ readonly files: readonly { readonly path: string }[] }]
  const paths = packed.files.map(({ path }) => path)
  const named = [
    ...(read('README.md').match(/\b(?:grafana|docs)\/[\w./-]+\.\w+/g) ?? []),
    ...(read('grafana/prometheus/rules.yml').match(/(?<=runbook_url: )[^#\s]+/g) ?? []),
    'grafana/provisioning/dashboards/observatory.yaml',
    'grafana/dashboards/pipeline.json',
  ]
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((path) => !paths.includes(path))).toEqual([])
}, 30_000)
