import { claimRun } from '../src/run-record'
import { createSupervisor } from '../src/supervisor'
import { aProgram } from './support'

// A supervisor in a process of its own, to be killed by a test: node -r ./typescript.cjs supervised.ts <folder> <script of the child>
async function main(folder: string, script: string): Promise<void> {
  const claim = await claimRun(`${folder}/run.json`, 'http://test', 1_000)
  const supervisor = createSupervisor({ claim, logDir: `${folder}/logs`, say: () => undefined, stopTimeoutMs: 1_000 })
  await supervisor.start([aProgram(folder, 'child', script)])
  process.stdout.write(`${JSON.stringify(supervisor.pids())}\n`)
}

void main(process.argv[2]!, process.argv[3]!)
