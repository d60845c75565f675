// Takes the files of what has ended into the archive, as a process does from time to time.
import { absorbEnded } from '../../../src/multiprocess/archive.ts'
import { currentParticipant } from '../../../src/multiprocess/participant.ts'
import { doJobs } from './jobs.mjs'

await doJobs(async (directory) => {
  const absorbed = await absorbEnded(directory, currentParticipant(), (loss) => console.log(`lost ${loss}`))
  console.log(`absorbed ${absorbed}`)
})
