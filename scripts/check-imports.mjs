/*
 * Imports point one way (ARCHITECTURE.md has the picture): fails, with a line for each offender, when a module of src imports what its
 * layer may not, when imports go in a circle, and when a module was not looked at or is in no layer.
 */
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cruise } from 'dependency-cruiser'

/** A layer's modules, as a regular expression on their paths. */
const LAYERS = {
  root: '^src/(metrics/|(?!cli\\.|index\\.|producer\\.|service\\.)[^/]+\\.ts$)',
  models: '^src/models/',
  parquet: '^src/parquet/',
  workload: '^src/demo/(?!run-demo\\.)',
  demo: '^src/demo/run-demo\\.ts$',
  producer: '^src/producer(/|\\.ts$)',
  retention: '^src/retention/',
  writers: '^src/writers/',
  repositories: '^src/repositories/',
  ingest: '^src/ingest/',
  audit: '^src/audit/',
  tail: '^src/tail/',
  http: '^src/http/',
  page: '^src/page/',
  embedded: '^src/embedded/',
  service: '^src/service(/|\\.ts$)',
  commands: '^src/commands/',
  cli: '^src/cli\\.ts$',
  index: '^src/index\\.ts$',
}

/** What a layer may import beside itself. Whatever composes the others may import all that lies below it. */
const MAY_IMPORT = {
  root: ['models'],
  models: [],
  parquet: ['models'],
  workload: ['models'],
  demo: ['root', 'models', 'producer', 'workload'],
  producer: ['root', 'models'],
  retention: ['root', 'models', 'parquet'],
  writers: ['root', 'models', 'retention'],
  repositories: ['root', 'models', 'parquet', 'retention'],
  ingest: ['root', 'models', 'retention', 'writers'],
  audit: ['root', 'models', 'retention', 'writers', 'ingest'],
  tail: ['root', 'models', 'retention', 'writers', 'repositories', 'ingest'],
  http: ['root', 'models', 'parquet', 'producer', 'repositories', 'tail'],
  // Runs in the browser: see the rules below.
  page: ['models'],
  embedded: ['root'],
  service: except('page', 'service', 'commands', 'cli', 'index'),
  commands: except('page', 'commands', 'cli', 'index'),
  cli: except('page', 'cli', 'index'),
  index: except('page', 'index', 'commands', 'cli'),
}

/** Models are values and functions of values: no file, socket, process or clock behind them. */
const PURE_PACKAGES =
  '^(node:)?(crypto|buffer|util|assert|string_decoder|url)$|(^|/)node_modules/(lossless-json|re2js)/'

/** How values are shown to a person: the part of the models that is built for the browser too. */
const SHOWN = '^src/models/shown/'

function except(...layers) {
  return Object.keys(LAYERS).filter((layer) => !layers.includes(layer))
}

const rules = [
  ...Object.entries(MAY_IMPORT).map(([layer, others]) => ({
    name: `${layer} may import ${['only itself', ...others].join(', ')}`,
    severity: 'error',
    from: { path: LAYERS[layer] },
    to: { path: '^src/', pathNot: [layer, ...others].map((other) => LAYERS[other]) },
  })),
  {
    name: 'models do no I/O',
    severity: 'error',
    from: { path: LAYERS.models },
    to: { pathNot: ['^src/', PURE_PACKAGES] },
  },
  {
    name: 'what runs in the browser may import only src/page and src/models/shown',
    severity: 'error',
    from: { path: LAYERS.page },
    to: { pathNot: [LAYERS.page, SHOWN] },
  },
  {
    name: 'what is built for the browser too may import only itself',
    severity: 'error',
    from: { path: SHOWN },
    to: { pathNot: SHOWN },
  },
  { name: 'no circle', severity: 'error', from: {}, to: { circular: true } },
  { name: 'no import of what is not there', severity: 'error', from: {}, to: { couldNotResolve: true } },
]

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const offenders = await findOffenders()
for (const offender of offenders) process.stderr.write(`${offender}\n`)
if (offenders.length > 0) process.exitCode = 1

async function findOffenders() {
  const options = {
    ruleSet: { forbidden: rules },
    validate: true,
    // An import of a type alone is a dependency too.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    moduleSystems: ['es6'],
  }
  const resolution = { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] }
  const { output } = await cruise(['src'], options, resolution)
  return [...unseen(output.modules), ...unlayered(), ...output.summary.violations.map(describe)]
}

/** A cruiser that cannot read TypeScript sees nothing and finds nothing wrong. */
function unseen(modules) {
  const seen = new Set(modules.map((module) => module.source))
  return sources()
    .filter((source) => !seen.has(source))
    .map((source) => `${source}: not looked at (does dependency-cruiser support the installed typescript?)`)
}

function unlayered() {
  return sources()
    .filter((source) => !Object.values(LAYERS).some((path) => new RegExp(path).test(source)))
    .map(
      (source) =>
        `${source}: in no layer; add its folder to LAYERS and MAY_IMPORT of scripts/check-imports.mjs`,
    )
}

function sources() {
  return readdirSync('src', { recursive: true })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => `src/${path.replaceAll('\\', '/')}`)
}

function describe({ from, to, rule, cycle }) {
  const path = cycle ? cycle.map((step) => step.name ?? step).join(' -> ') : to
  return `${from} -> ${path}: ${rule.name}`
}
