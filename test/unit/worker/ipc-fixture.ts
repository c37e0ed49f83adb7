/** Arrow streams cut into whole messages, as the edge hands them over. */

/** Prefix, header and body of each, the end of the stream included. */
export function wholeMessages(ipc: Uint8Array): Uint8Array[] {
  const view = new DataView(ipc.buffer, ipc.byteOffset, ipc.byteLength);
  const messages: Uint8Array[] = [];
  for (let at = 0; at + 8 <= ipc.length; ) {
    const length = view.getInt32(at + 4, true);
    const end = at + 8 + length + (length === 0 ? 0 : bodyLength(ipc.subarray(at + 8, at + 8 + length)));
    messages.push(ipc.subarray(at, end));
    if (length === 0) break;
    at = end;
  }
  return messages;
}

function bodyLength(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const table = view.getUint32(0, true);
  const vtable = table - view.getInt32(table, true);
  const slot = view.getUint16(vtable, true) > 10 ? view.getUint16(vtable + 10, true) : 0;
  return slot === 0 ? 0 : Number(view.getBigInt64(table + slot, true));
}
