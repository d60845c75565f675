import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { rename, rm, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { FILE_MODE, temporaryName } from './archive.ts'
import { codeOf, messageOf, prepareDirectory } from './directory.ts'

/** Why a snapshot is not where others can read it. */
export type WriteLoss = 'directory' | 'write' | 'vanished'

/** The file that a thread's snapshots go to, one in place of the other: whoever reads it sees one of them, whole. */
export class OwnFile {
  readonly #directory: string
  readonly #file: string
  readonly #temporary: string
  readonly #temporaryLast: string
  readonly #onLoss: (loss: WriteLoss, message: string) => void
  #isReady = false
  #written: Uint8Array | undefined = undefined
  #isBehind = false
  #isClosed = false

  constructor(directory: string, name: string, onLoss: (loss: WriteLoss, message: string) => void) {
    this.#directory = directory
    this.#file = path.join(directory, name)
    this.#temporary = path.join(directory, temporaryName(name))
    this.#temporaryLast = path.join(directory, temporaryName(name, 'last'))
    this.#onLoss = onLoss
  }

  /** The snapshot that others can read. */
  get written(): Uint8Array | undefined {
    return this.#written
  }

  /** Whether the last snapshot is not where others can read it. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Whether the directory can be used; one that could not be is tried again. */
  prepare(): boolean {
    if (this.#isReady) return true
    try {
      prepareDirectory(this.#directory)
      this.#isReady = true
      this.#written = undefined
    } catch (error) {
      this.#onLoss('directory', messageOf(error))
    }
    return this.#isReady
  }

  /** Never rejects: what fails is told, and the snapshot before stands. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#isBehind = !(await this.#tryToWrite(bytes))
  }

  /**
   * Writes at once, and for the last time. A write that is under way goes on in a thread of its own: it may still open
   * and fill its temporary file, so this one has another; and put it in place, so that one is taken away first.
   */
  writeLast(bytes: () => Uint8Array): void {
    this.#isClosed = true
    if (!this.prepare()) return
    try {
      rmSync(this.#temporary, { force: true })
      writeFileSync(this.#temporaryLast, bytes(), { mode: FILE_MODE })
      renameSync(this.#temporaryLast, this.#file)
    } catch (error) {
      this.#onLoss('write', messageOf(error))
      rmSync(this.#temporaryLast, { force: true })
    }
  }

  async #tryToWrite(bytes: Uint8Array): Promise<boolean> {
    if (!this.prepare()) return false
    try {
      await this.#put(bytes)
      return true
    } catch (error) {
      // The last snapshot has taken its place.
      if (this.#isClosed) return false
      if (codeOf(error) !== 'ENOENT') {
        this.#onLoss('write', messageOf(error))
        return false
      }
      // Somebody cleans up where programs run: it is made again, without what had ended before.
      this.#onLoss('vanished', messageOf(error))
      this.#isReady = false
      if (!this.prepare()) return false
    }
    try {
      await this.#put(bytes)
      return true
    } catch (error) {
      if (!this.#isClosed) this.#onLoss('write', messageOf(error))
      return false
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const now = Date.now() / 1000
    // Fails where the file is gone, which nobody takes away as long as the thread runs.
    if (this.#written !== undefined) await utimes(this.#file, now, now)
    try {
      await writeFile(this.#temporary, bytes, { mode: FILE_MODE })
      if (this.#isClosed) return
      await rename(this.#temporary, this.#file)
      this.#written = bytes
    } catch (error) {
      await rm(this.#temporary, { force: true }).catch(() => {})
      throw error
    }
  }
}
