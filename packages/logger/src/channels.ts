import { type Channel, channel } from '@scale/core'

/** The destination stalls and the buffer is full: lines were dropped, and counted. */
export interface DroppedMessage {
  lines: number
  bytes: number
}

/** `scale:logger:dropped` */
export const droppedChannel: Channel<DroppedMessage> = channel('scale:logger:dropped')
