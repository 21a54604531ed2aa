/** What the thread is given. */
export interface PulseThreadData {
  beats: Int32Array
  /** Silence after which the report is written; the primary kills later. */
  reportAfterMs: number
  reportFile: string
  parentPid: number
  graceMs: number
}

/**
 * The second thread of a worker, as text: a bundler or a loader must not touch it, because it runs from here.
 *
 * The main thread cannot be asked anything while it is stuck, but a debugger can stop it between two statements,
 * and there it can be made to describe itself. The environment, which holds secrets, is left out.
 */
export const pulseThreadSource: string = `
const { workerData } = require('node:worker_threads')
const { Session } = require('node:inspector')
const { writeFileSync, writeSync } = require('node:fs')
const { beats, reportAfterMs, reportFile, parentPid, graceMs } = workerData

let lastBeat = -1
let beatAt = performance.now()
let reported = false
let orphanedAt

setInterval(() => {
  const now = performance.now()
  const beat = Atomics.load(beats, 0)
  if (beat !== lastBeat) {
    lastBeat = beat
    beatAt = now
    reported = false
  }
  if (!reported && now - beatAt > reportAfterMs) {
    reported = true
    report()
  }
  if (process.ppid !== parentPid) orphanedAt ??= now
  if (orphanedAt !== undefined && now - orphanedAt > graceMs) process.kill(process.pid, 'SIGKILL')
}, 250)

function report() {
  const session = new Session()
  session.connectToMainThread()
  session.once('Debugger.paused', ({ params }) => {
    const expression = \`(() => {
      process.report.excludeNetwork = true
      const { environmentVariables, ...report } = process.report.getReport(new Error('The event loop is stuck.'))
      return JSON.stringify(report, null, 2)
    })()\`
    const where = { callFrameId: params.callFrames[0].callFrameId, expression, returnByValue: true }
    session.post('Debugger.evaluateOnCallFrame', where, (error, reply) => {
      session.post('Debugger.resume', () => session.disconnect())
      if (error !== null || reply.result.type !== 'string') return
      try {
        writeFileSync(reportFile, reply.result.value, { mode: 0o600 })
        writeSync(2, '[cluster] the event loop is stuck; diagnostic report: ' + reportFile + '\\n')
      } catch (error) {
        writeSync(2, '[cluster] the event loop is stuck; no diagnostic report: ' + error.code + '\\n')
      }
    })
  })
  session.post('Debugger.enable', () => session.post('Debugger.pause'))
}
`
