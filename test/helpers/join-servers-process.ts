/* A process that uses the embedded servers of a folder (argv: folder) until a line comes on stdin. */
import { once } from 'node:events'
import { joinServers } from '../../src/embedded/servers.ts'

const [, , dataDir = ''] = process.argv
const servers = await joinServers({
  dataDir,
  postgres: true,
  redis: true,
  postgresBin: process.env.OBSERVATORY_TEST_POSTGRES_BIN,
  postgresPort: 28432,
  redisPort: 28379,
})
console.log(JSON.stringify({ databaseUrl: servers.databaseUrl, redisUrl: servers.redisUrl }))
await once(process.stdin, 'data')
await servers.leave()
process.stdin.destroy()
