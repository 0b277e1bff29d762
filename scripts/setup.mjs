/*
 * Makes a checkout ready to run: dependencies, build, a Redis server, for `npm test` a browser and Prometheus. Run by `npm test` and `npm run quickstart` before anything
 * is installed, so it uses Node.js alone. Does nothing, in a fraction of a second, when nothing is missing; says each
 * thing it does in a line on stderr; two at once wait for each other.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const LOCK = join(ROOT, '.observatory', 'setup.lock')
const LOCK_TIMEOUT_MS = 15 * 60_000
const LOCK_POLL_MS = 200
const REDIS_NAMES = ['redis-server', 'valkey-server']
const REDIS_FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/sbin']
const SETTINGS_OF_BUILD = [
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.page.json',
  'package-lock.json',
  'prices.yaml',
  'scripts/bundle-command-line.mjs',
]
/** What tests are skipped without, and say so: no reason to fail. Looked for as test/helpers/watched-browser.ts and find-prometheus.ts do. */
const PROGRAMS_OF_TESTS = [
  {
    name: 'chromium',
    what: 'a browser',
    without: 'the tests of the page in a browser are skipped',
    isThere: () => ['chromium', 'chromium-browser', 'google-chrome'].some(isOnPath),
  },
  {
    name: 'prometheus',
    what: 'Prometheus',
    without: 'the tests of what Prometheus sees are skipped',
    isThere: () => ['prometheus', 'promtool'].every(isOnPath),
    service: 'prometheus',
  },
]
const UNREACHABLE =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|Could not resolve|Failed to fetch/
/** Debian's way to say "not now" to maintainer scripts that want to start a service. */
const WITHOUT_SERVICE = ['DEBIAN_FRONTEND=noninteractive', 'SYSTEMD_OFFLINE=1', 'RUNLEVEL=1']

/** What a person can do something about; printed without a stack. */
class SetupError extends Error {}

try {
  await setUp()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  say(error.message)
  process.exitCode = 1
}

async function setUp() {
  if (missing().length === 0) return
  await whileLocked(() => {
    // Again: whoever had the lock before may have done it.
    for (const step of missing()) step.run()
  })
}

/** The steps that are to be done, in order. Installing builds too, so whether to build is looked at after it. */
function missing() {
  const steps = [
    { isDone: isInstalled, run: install },
    { isDone: isBuilt, run: () => isBuilt() || build() },
    { isDone: hasRedis, run: installRedis },
    ...PROGRAMS_OF_TESTS.map((program) => ({
      isDone: () => process.env.npm_lifecycle_event !== 'test' || program.isThere(),
      run: () => installForTests(program),
    })),
  ]
  return steps.filter((step) => !step.isDone())
}

/** Whether node_modules holds what package-lock.json says: npm lists what it installed in a lock file of its own. */
function isInstalled() {
  const wanted = readPackages(join(ROOT, 'package-lock.json'))
  // A package from the registry has no lock file: npm has installed its dependencies already.
  if (wanted === undefined) return true
  const installed = readPackages(join(ROOT, 'node_modules', '.package-lock.json'))
  if (installed === undefined) return false
  const isSame = (path) =>
    wanted[path]?.version === installed[path]?.version &&
    wanted[path]?.integrity === installed[path]?.integrity
  const isRequired = (path) => path !== '' && !wanted[path].optional && !wanted[path].devOptional
  return Object.keys(installed).every(isSame) && Object.keys(wanted).filter(isRequired).every(isSame)
}

function readPackages(lockFile) {
  try {
    return JSON.parse(fs.readFileSync(lockFile, 'utf8')).packages
  } catch {
    return undefined
  }
}

function install() {
  say('installing the dependencies (npm ci)')
  const { status, output } = run([
    'npm',
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
  ])
  if (status === 0) return
  throw new SetupError(
    UNREACHABLE.test(output)
      ? 'npm ci could not reach the npm registry: connect to it (or set a proxy or mirror in .npmrc), then try again'
      : `npm ci failed:\n${lastLines(output)}`,
  )
}

/** Whether each source has build products that are not older than it or than what governs the build. */
function isBuilt() {
  if (!fs.existsSync(join(ROOT, 'src'))) return true
  const settings = SETTINGS_OF_BUILD.map((name) => modifiedAt(join(ROOT, name)))
  return fs
    .readdirSync(join(ROOT, 'src'), { recursive: true })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.(ts|html|css)$/.test(path) && !path.endsWith('.d.ts'))
    .every((path) => {
      const needed = Math.max(modifiedAt(join(ROOT, 'src', path)), ...settings)
      return productsOf(path).every((product) => modifiedAt(join(ROOT, 'dist', product)) >= needed)
    })
}

/** What is built of a source: for Node.js, with all others the command line, for the browser, or for both. */
function productsOf(path) {
  const product = path.replace(/\.ts$/, '.js')
  if (path.startsWith('page/')) return [`page/${product}`]
  const products = [product, 'bundle/cli.js']
  return path.startsWith('models/shown/') ? [...products, `page/${product}`] : products
}

/** 0 for a file that is not there. */
function modifiedAt(path) {
  return fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function build() {
  say('building (npm run build)')
  const { status, output } = run(['npm', 'run', '--silent', 'build'])
  if (status !== 0) throw new SetupError(`the build failed:\n${lastLines(output)}`)
}

/** Whether a Redis server can be started, or need not be: the tests always start their own. */
function hasRedis() {
  if (process.env.REDIS_URL && process.env.npm_lifecycle_event !== 'test') return true
  return REDIS_NAMES.some(isOnPath)
}

function isOnPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...REDIS_FOLDERS]
  return folders.some((folder) => fs.existsSync(join(folder, program)))
}

function installRedis() {
  if (isOnPath('apt-get')) return installRedisWithApt()
  if (process.platform === 'darwin' && isOnPath('brew')) {
    say('installing Redis (brew install redis)')
    return expectRedis(run(['brew', 'install', '--quiet', 'redis']), 'brew install redis')
  }
  throw new SetupError(
    'no redis-server or valkey-server on the PATH. Install one (apk add redis, dnf install redis, pacman -S valkey, ' +
      'brew install redis), or set REDIS_URL to a Redis that runs',
  )
}

function installRedisWithApt() {
  const byHand = 'sudo apt-get install redis-server'
  const asRoot = rootCommand()
  if (asRoot === undefined) {
    throw new SetupError(
      `no redis-server on the PATH, and no right to install it. Run: ${byHand} (or set REDIS_URL)`,
    )
  }
  say('installing Redis (apt-get install redis-server); its system service stays off')
  expectRedis(installWithApt(asRoot, { name: 'redis-server', service: 'redis-server' }), byHand)
}

function expectRedis({ status, output }, byHand) {
  if (status === 0 && hasRedis()) return
  throw new SetupError(
    UNREACHABLE.test(output)
      ? `Redis could not be downloaded: connect to the network and try again, or run: ${byHand} (or set REDIS_URL)`
      : `installing Redis failed; run: ${byHand} (or set REDIS_URL). It said:\n${lastLines(output)}`,
  )
}

function installForTests({ what, without, isThere, ...described }) {
  const { name } = described
  const asRoot = isOnPath('apt-get') ? rootCommand() : undefined
  if (asRoot === undefined) {
    say(`no ${name} on the PATH, and no way to install it: ${without}`)
    return
  }
  say(`installing ${what} for the tests (apt-get install ${name})`)
  const { output } = installWithApt(asRoot, described)
  if (!isThere()) say(`that failed: ${without}. It said:\n${lastLines(output)}`)
}

/** What makes a command one of root; undefined where nothing does. */
function rootCommand() {
  if (process.getuid() === 0) return []
  return run(['sudo', '-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined
}

/** Only the programs are wanted: whatever the package would start, now or at the next boot, is held back. */
function installWithApt(asRoot, { name, service }) {
  const elevated = (...command) => run([...asRoot, 'env', ...WITHOUT_SERVICE, ...command])
  const apt = ['apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=120']
  // A source that cannot be reached does not matter when another one has the package.
  const updated = elevated(...apt, 'update')
  const installed = elevated(...apt, 'install', '-y', '--no-install-recommends', name)
  if (service !== undefined) {
    // Nor at the next boot, by whichever of the two runs services here; the other one fails, which does not matter.
    run([...asRoot, 'systemctl', 'disable', '--now', service])
    elevated('update-rc.d', service, 'disable')
  }
  return { ...installed, output: `${updated.output}\n${installed.output}` }
}

/** Runs a program without input, from the checkout's folder. */
function run([program, ...args]) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  })
  return { status, output: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` }
}

function lastLines(output) {
  return output.trim().split('\n').slice(-20).join('\n')
}

/**
 * Runs `work` while no other setup of this checkout does. The lock is a symbolic link that names its owner, so that a crash
 * never leaves one without. The lock of a dead owner is removed under a lock of its own, so that two who find it cannot
 * remove each other's new one.
 */
async function whileLocked(work, lock = LOCK) {
  fs.mkdirSync(dirname(lock), { recursive: true, mode: 0o700 })
  const deadline = Date.now() + LOCK_TIMEOUT_MS
  for (let said = false; !tryLock(lock); ) {
    const owner = ownerOf(lock)
    if (owner !== undefined && !isAlive(owner)) {
      await whileLocked(() => ownerOf(lock) === owner && fs.unlinkSync(lock), `${lock}.dead`)
    } else {
      if (!said) say(`waiting for another setup (process ${owner})`)
      said = true
      if (Date.now() > deadline)
        throw new SetupError(`process ${owner} still has ${lock}: end it and try again`)
      await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS))
    }
  }
  try {
    return work()
  } finally {
    fs.unlinkSync(lock)
  }
}

function tryLock(lock) {
  try {
    fs.symlinkSync(identityOf(process.pid), lock)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Who holds the lock, or undefined when it is free again. */
function ownerOf(lock) {
  try {
    return fs.readlinkSync(lock)
  } catch {
    return undefined
  }
}

function isAlive(owner) {
  const pid = Number.parseInt(owner, 10)
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code !== 'EPERM') return false
  }
  return identityOf(pid) === owner
}

/** The pid, and its start time (field 22 of proc(5)'s stat) where there is one: pids are used again. */
function identityOf(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return `${pid}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return String(pid)
  }
}

function say(line) {
  process.stderr.write(`setup: ${line}\n`)
}
