import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Watches every turn of the event loop: its longest one, and the most memory that was seen between two. A turn counts
 * with the time that this process had a core for itself: what other programs took of the machine is no stall of ours.
 */
export function watch() {
  for (let run = 0; run < 4; run++) globalThis.gc()
  const before = process.memoryUsage()
  const peakBefore = resetPeak() ? before.rss : undefined
  const most = { ...before }
  const start = performance.now()
  let last = start
  let lastCpu = cpuMilliseconds()
  let lastSample = start
  let longest = 0
  let longestByTheWall = 0
  let running = true
  const turn = () => {
    const now = performance.now()
    const cpu = cpuMilliseconds()
    longest = Math.max(longest, Math.min(now - last, cpu - lastCpu))
    longestByTheWall = Math.max(longestByTheWall, now - last)
    if (now - lastSample > 5) {
      const usage = process.memoryUsage()
      for (const key in most) most[key] = Math.max(most[key], usage[key])
      lastSample = now
    }
    last = performance.now()
    lastCpu = cpuMilliseconds()
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  return () => {
    running = false
    const rss = peakBefore === undefined ? most.rss : Math.max(most.rss, readPeak())
    return {
      longest,
      longestByTheWall,
      held: rss - before.rss,
      heap: most.heapUsed - before.heapUsed,
      buffers: most.arrayBuffers - before.arrayBuffers,
      seconds: (performance.now() - start) / 1000,
    }
  }
}

function cpuMilliseconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Linux keeps the peak of a process's memory, which no sampling misses; true where it could be set back. */
function resetPeak() {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return true
  } catch {
    return false
  }
}

function readPeak() {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
}
