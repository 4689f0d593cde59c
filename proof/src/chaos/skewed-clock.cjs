// `node -r` this to run a service whose clock can be set while it runs: the file $SKEWED_CLOCKS/<port> holds the milliseconds by
// which it is off. It moves what Date says, as somebody who sets the clock of a machine would. Timers and performance.now() count
// on, as they do then; Postgres and the other processes keep their own time.
const { readFileSync } = require('node:fs')
const { join } = require('node:path')

const file = join(process.env.SKEWED_CLOCKS, process.env.PORT)
let offMs = 0
const look = () => {
  try {
    offMs = Number(readFileSync(file, 'utf8')) || 0
  } catch {
    offMs = 0 // nobody has set it
  }
}
look()
setInterval(look, 50).unref()

const RealDate = Date
const now = () => RealDate.now() + offMs
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
})
