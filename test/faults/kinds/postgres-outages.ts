import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { waitFor } from '../deadline.ts'
import type { Campaign, Fault } from '../fault.ts'
import { MomentMissed } from '../trap.ts'

/** The server ends as in a power cut, in the middle of a COPY. */
const immediateStop: Fault = {
  name: 'PostgreSQL immediate stop',
  needsOwnServers: true,
  causes: ['retries'],
  async strike(campaign) {
    const { own } = campaign.servers
    if (own === undefined) throw new MomentMissed('These servers may not be stopped')
    const point = campaign.random.pick(['copy-data', 'commit'])
    await campaign.pickWorker().postgres.traps.spring(
      (moment) => moment.point === point,
      async () => {
        await own.stopPostgresImmediately()
        return 'pass'
      },
    )
    await sleep(campaign.random.integer(0, 2000))
    await own.startPostgres()
    await campaign.settle()
    return `at ${point}`
  },
}

/** The server ends a worker's session at the very message that copies or commits. */
const terminatedBackend: Fault = {
  name: 'terminated backend',
  causes: ['retries'],
  async strike(campaign) {
    const point = campaign.random.pick(['copy-data', 'commit', 'committed'])
    let ended = false
    await campaign.pickWorker().postgres.traps.spring(
      (moment) => moment.point === point && moment.session.backendPid !== undefined,
      async ({ session }) => {
        const text = 'select pg_terminate_backend($1, 5000) as ended'
        const [row] = await campaign.query<{ ended: boolean }>(text, [session.backendPid])
        ended = row?.ended === true
        // The answer to a COMMIT that succeeded is lost with the connection.
        return point === 'committed' ? 'drop' : 'pass'
      },
    )
    if (!ended) throw new MomentMissed('The session did not end')
    await campaign.settle()
    return `at ${point}`
  },
}

/** Every slot is taken, and the workers lose the sessions they had. */
const tooManyConnections: Fault = {
  name: 'too many connections',
  needsOwnServers: true,
  causes: ['retries'],
  async strike(campaign) {
    const seen = countState(campaign, '53300')
    const taken: pg.Client[] = []
    try {
      await takeAllSlots(campaign, taken)
      // While one is being taken, a worker may be faster than us: again until they are refused.
      const refused = async () => {
        await taken[0]?.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'observatory:%'`,
        )
        await takeAllSlots(campaign, taken)
        return seen() > 0 ? true : undefined
      }
      await waitUntilHit(refused, 'A worker being refused a connection', campaign)
      await sleep(campaign.random.integer(0, 2000))
    } finally {
      await Promise.all(taken.map((client) => client.end().catch(() => undefined)))
    }
    await campaign.settle()
    return `refused ${seen()} times`
  },
}

async function takeAllSlots({ servers }: Campaign, taken: pg.Client[]): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: servers.databaseUrl, application_name: 'fault: crowd' })
    client.on('error', () => undefined)
    try {
      await client.connect()
      taken.push(client)
    } catch {
      return
    }
  }
}

/** Somebody holds the table; now and then longer than the workers wait for a lock. */
const lockedTable: Fault = {
  name: 'locked table',
  causes: [],
  async strike(campaign) {
    const isLong = campaign.random.chance(0.25)
    const table = campaign.random.pick(['log_records', 'spans', 'ingest_ledger'])
    const timedOut = countState(campaign, '55P03')
    const client = new pg.Client({
      connectionString: campaign.servers.databaseUrl,
      application_name: 'fault: lock',
    })
    await client.connect()
    try {
      await client.query(`begin; lock table ${table} in access exclusive mode`)
      const waiting = async () => {
        const { rows } = await client.query<{ waiting: number }>(
          `select count(*)::int as waiting from pg_locks l join pg_stat_activity using (pid)
           where not l.granted and l.relation = $1::regclass and application_name like 'observatory:%'`,
          [table],
        )
        return (rows[0]?.waiting ?? 0) > 0 ? rows[0]?.waiting : undefined
      }
      const waiters = await waitUntilHit(waiting, `A worker waiting for ${table}`, campaign)
      await sleep(isLong ? 11_000 : campaign.random.integer(200, 2000))
      await client.query('rollback')
      await campaign.settle()
      return `${table}, ${waiters} waited, ${timedOut()} gave up`
    } finally {
      await client.end()
    }
  },
}

/** As a primary that was demoted, or a disk guard of a hosted server. */
const readOnly: Fault = {
  name: 'read-only',
  needsOwnServers: true,
  causes: ['retries'],
  async strike(campaign) {
    const refused = countState(campaign, '25006')
    await campaign.query('alter system set default_transaction_read_only = on')
    try {
      await campaign.query('select pg_reload_conf()')
      const hit = async () => (refused() > 0 ? true : undefined)
      await waitUntilHit(hit, 'A worker being refused a write', campaign)
      await sleep(campaign.random.integer(0, 2000))
    } finally {
      await campaign.query('alter system reset default_transaction_read_only')
      await campaign.query('select pg_reload_conf()')
    }
    await campaign.settle()
    return `refused ${refused()} times`
  },
}

/** The disk of the tables has no block left. Where none of our own can be mounted, a trigger answers what PostgreSQL would. */
const fullDisk: Fault = {
  name: 'full disk',
  needsOwnServers: true,
  causes: ['retries'],
  async strike(campaign) {
    const refused = countState(campaign, '53100')
    const disk = campaign.smallDisk ?? refusingTriggers(campaign)
    await disk.fill()
    try {
      // Rows fit into the pages that are there for a while.
      await campaign.load.burst(Array.from({ length: 100 }, () => BULK))
      const hit = async () => (refused() > 0 ? true : undefined)
      await waitUntilHit(hit, 'A worker finding the disk full', campaign)
      await sleep(campaign.random.integer(0, 2000))
    } finally {
      await disk.clear()
    }
    await campaign.settle()
    return `${campaign.smallDisk ? 'tmpfs' : 'trigger'}, refused ${refused()} times`
  },
}

const BULK = { kind: 'burst', rows: 50, poison: 'notJson', poisoned: [] } as const

function refusingTriggers({ query }: Campaign) {
  const tables = ['log_records', 'spans', 'metric_points']
  return {
    fill: async () => {
      await query(`create or replace function disk_full() returns trigger language plpgsql as
        $$ begin raise exception 'could not extend file: no space left on device' using errcode = '53100'; end $$`)
      for (const table of tables)
        await query(`create trigger disk_full before insert on ${table} execute function disk_full()`)
    },
    clear: async () => {
      for (const table of tables) await query(`drop trigger if exists disk_full on ${table}`)
    },
  }
}

/** How often PostgreSQL has answered a worker with this SQLSTATE from now on. */
function countState({ workers }: Campaign, state: string): () => number {
  const count = () => workers.reduce((sum, { postgres }) => sum + (postgres.sqlStates.get(state) ?? 0), 0)
  const before = count()
  return () => count() - before
}

const HIT_MAX_MS = 30_000

/** A fault that is not noticed has not struck. */
async function waitUntilHit<T>(
  ask: () => Promise<T | undefined>,
  what: string,
  campaign: Campaign,
): Promise<T> {
  return waitFor(ask, { what, timeoutMs: HIT_MAX_MS, signal: campaign.signal }).catch((error: Error) => {
    campaign.signal.throwIfAborted()
    throw new MomentMissed(error.message)
  })
}

export const POSTGRES_FAULTS = [
  immediateStop,
  terminatedBackend,
  tooManyConnections,
  lockedTable,
  readOnly,
  fullDisk,
] as const
