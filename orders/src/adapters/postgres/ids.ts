import { V7Generator } from 'uuidv7'

const generator = new V7Generator()

/**
 * A UUIDv7 of the time that its row will bear, not of the machine's: lists are in the order of ids, and every replica's rows have
 * their place in them. Ids of one process ascend, unless its time is set back by more than ten seconds.
 */
export const idAt = (time: Date): string => generator.generateOrResetWithTs(time.getTime()).toString()
