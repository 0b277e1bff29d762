import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { CampaignOptions } from './campaign-options.ts'
import { type Account, checkAccount } from './check-account.ts'
import { checkStored, type Stored } from './check-stored.ts'
import { GROUP } from './fault.ts'
import type { Report } from './report.ts'
import type { Stage } from './stage.ts'
import type { FaultTally } from './tally.ts'
import { IN_FLIGHT_MAX_BYTES } from './worker.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/observatory.js', import.meta.url))
const FRESH_MAX_MS = 15_000
/** Node.js, its heap's slack, decoded records, encoded batches: what a worker may hold beside what is in flight. */
const RSS_MAX_BYTES = 320 * 1024 * 1024 + 4 * IN_FLIGHT_MAX_BYTES
const AUDIT_MAX_MS = 300_000
/** A command that the program does not know is a usage error. */
const USAGE = 2

/** Ends the load, waits until all is quiet, stops the workers and checks everything. */
export async function finish(
  stage: Stage,
  options: CampaignOptions,
  struck: { readonly tally: readonly FaultTally[]; readonly failures: readonly string[] },
): Promise<Report> {
  const { campaign, ackSampler, statistics } = stage
  const { oracle, tell, redis, streamPrefix } = campaign
  const failures = [...struck.failures]
  const attempt = async (what: string, work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      campaign.signal.throwIfAborted()
      failures.push(`${what}: ${(error as Error).message}`)
    }
  }
  tell('faults are over: waiting for the rest, then a fresh write')
  await campaign.load.pause()
  await attempt('At the end', () => campaign.settle())
  await attempt('A fresh write', async () => {
    await campaign.load.burst([{ kind: 'plain' }])
    await campaign.settle(FRESH_MAX_MS)
  })
  const counts = await statistics.scrape()
  for (const worker of campaign.workers) {
    await attempt(`Stopping worker ${worker.slot}`, async () => {
      const code = await worker.end('SIGTERM')
      if (code !== 0) throw new Error(`SIGTERM ended it with ${code}; see ${worker.logFile}`)
    })
  }
  await stage.stopWatching()
  tell('checking every row and every dead letter')
  let stored: Stored | undefined
  let account: Account | undefined
  await attempt('The check', async () => {
    stored = await readStored(campaign.servers.databaseUrl, oracle)
    account = await checkAccount(oracle, stored, { redis, streamPrefix })
  })
  await attempt('Leaks', async () => {
    const leaks = await leaksOf(stage)
    if (leaks.length > 0) throw new Error(leaks.join('; '))
  })
  const audit = await runAudit(options, campaign.servers)
  return {
    seed: options.seed,
    tally: struck.tally,
    failures,
    stored,
    account,
    counts,
    fates: oracle.counts(),
    exports: campaign.exporter.counts,
    exportViolations: campaign.exporter.violations,
    redelivered: oracle.redelivered,
    ackSample: { sampled: ackSampler.sampled, violations: ackSampler.violations },
    peakRss: statistics.peakRss,
    rssMax: RSS_MAX_BYTES,
    audit,
  }
}

async function readStored(connectionString: string, oracle: Stage['campaign']['oracle']): Promise<Stored> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return await checkStored(client, oracle)
  } finally {
    await client.end()
  }
}

/** Sessions and connections that the stopped workers left, and consumers beyond one a worker. */
async function leaksOf({ campaign }: Stage): Promise<string[]> {
  const { query, redis, streamPrefix, workers, servers } = campaign
  const sessions = await query<{ session: string }>(
    `select format('session %s (%s, %s)', pid, application_name, state) as session from pg_stat_activity
     where application_name like 'observatory:%' and datname = current_database()`,
  )
  const database = new URL(servers.redisUrl).pathname.slice(1) || '0'
  const own = new RegExp(` name=observatory:${GROUP}:.* db=${database} `)
  const clients = String(await redis.client('LIST'))
    .split('\n')
    .filter((line) => own.test(line))
  const consumers = (await redis.xinfo('CONSUMERS', `${streamPrefix}:logs`, GROUP)) as unknown[][]
  return [
    ...sessions.map(({ session }) => session),
    ...clients.map((line) => `Redis client ${line}`),
    ...(consumers.length > workers.length
      ? [`${consumers.length} consumers of ${workers.length} workers`]
      : []),
  ]
}

export interface AuditOutcome {
  readonly outcome: 'passed' | 'failed' | 'not there'
  readonly output: string
}

async function runAudit(
  { streamPrefix }: CampaignOptions,
  { databaseUrl, redisUrl }: Stage['campaign']['servers'],
): Promise<AuditOutcome> {
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    STREAM_PREFIX: streamPrefix,
  }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [LAUNCHER, 'audit'],
      { env, timeout: AUDIT_MAX_MS },
      (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`
        if (error === null) resolve({ outcome: 'passed', output })
        else if (error.code === USAGE) resolve({ outcome: 'not there', output })
        else resolve({ outcome: 'failed', output })
      },
    )
  })
}
