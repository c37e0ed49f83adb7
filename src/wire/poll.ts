/** PollFlightInfo: its answer, and the retry descriptor that a client sends back while planning goes on. */
import { descriptorFields, type FlightInfo, infoFields, timestamp } from './flight-messages.ts';
import { type Codec, codec } from './protos.ts';

export interface PollAnswer {
  readonly info: FlightInfo;
  /** The command to poll again with; null when `info` is complete. */
  readonly retry: Uint8Array | null;
  /** 0 to 1. */
  readonly progress: number;
  /** Until when `retry` is good. */
  readonly expiresAtMs: number | null;
}

/** A query that is being planned; sealed, it is the retry descriptor. */
export interface PendingPoll {
  readonly pollId: string;
  readonly subject: string;
  readonly expiresAtMs: number;
  /** The whole FlightDescriptor of the first call. */
  readonly descriptor: Uint8Array;
}

const TYPE_URL = 'type.googleapis.com/sluice.PendingPoll';

const any: Codec = codec('google.protobuf.Any');
const answerCodec: Codec = codec('arrow.flight.protocol.PollInfo');
const pendingCodec: Codec = codec('sluice.PendingPoll');

export function encodePollAnswer({ info, retry, progress, expiresAtMs }: PollAnswer): Uint8Array {
  return answerCodec.encode({
    info: infoFields(info),
    progress,
    ...(retry === null ? {} : { flightDescriptor: descriptorFields(retry) }),
    ...(expiresAtMs === null ? {} : { expirationTime: timestamp(expiresAtMs) }),
  });
}

/** The command bytes of a retry descriptor. */
export function encodeRetry(sealed: Uint8Array): Uint8Array {
  return any.encode({ type_url: TYPE_URL, value: sealed });
}

/** The sealed part of a retry descriptor's command; null when it is another command. */
export function decodeRetry(command: Uint8Array): Uint8Array | null {
  try {
    const packed = any.decode(command);
    return packed.string('type_url') === TYPE_URL ? packed.bytes('value') : null;
  } catch {
    return null;
  }
}

export function encodePending(pending: PendingPoll): Uint8Array {
  return pendingCodec.encode({ ...pending });
}

/** Fails with ticket.invalid. */
export function decodePending(bytes: Uint8Array): PendingPoll {
  const fields = pendingCodec.decode(bytes, 'ticket.invalid');
  return {
    pollId: fields.string('pollId'),
    subject: fields.string('subject'),
    expiresAtMs: fields.number('expiresAtMs'),
    descriptor: fields.bytes('descriptor'),
  };
}
