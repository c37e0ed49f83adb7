import { expect, test } from 'vitest';
import { encodeFlightData, encodeFramePrefix } from '#src/wire/index.js';
import { decode, type FlightData } from '../../support/flight-messages.ts';

test.each([0, 1, 127, 128, 16_383, 16_384, 3_000_000])(
  'a frame with a body of %i bytes is a gRPC message with header and body',
  (bodyBytes) => {
    for (const headerBytes of [0, 5, 127, 128, 70_000]) {
      const header = Buffer.alloc(headerBytes, 1);
      const body = Buffer.alloc(bodyBytes, 2);
      const frame = Buffer.concat([encodeFramePrefix(header, body.length), body]);
      expect(frame[0]).toBe(0);
      expect(frame.readUInt32BE(1)).toBe(frame.length - 5);
      const { data_header, data_body } = decode<FlightData>('FlightData', frame.subarray(5));
      expect(Buffer.compare(data_header, header)).toBe(0);
      expect(Buffer.compare(data_body, body)).toBe(0);
      expect(Buffer.compare(encodeFlightData(header, body), frame.subarray(5))).toBe(0);
    }
  },
);
