/**
 * Bytes that no two writes have in common: each word of eight depends on the write and on its place in the file, so that a byte that
 * comes from another write, or from another place, is noticed.
 */
export function contentOf(writeNumber: number, offset: number, lengthBytes: number): Uint8Array {
  const firstWord = Math.floor(offset / 8);
  const lastWord = Math.ceil((offset + lengthBytes) / 8);
  const words = new Uint32Array((lastWord - firstWord) * 2);
  for (let word = firstWord; word < lastWord; word++) {
    const at = (word - firstWord) * 2;
    words[at] = mix(Math.imul(writeNumber, 0x9e3779b1) ^ word);
    words[at + 1] = mix(Math.imul(word, 0x85ebca77) ^ writeNumber);
  }
  const skipped = offset - firstWord * 8;
  return new Uint8Array(words.buffer, skipped, lengthBytes);
}

/** Never zero, or almost: zeros are what was not written. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) | 0x01010101;
}
