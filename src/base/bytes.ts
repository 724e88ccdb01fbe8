/** Byte strings as keys and as text, without `node:buffer`. */

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Bytes of an even number of hex digits, or undefined if the text is anything else. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** One character per byte (ISO 8859-1): a string that can be a Map key and keeps byte order. */
export function toLatin1(bytes: Uint8Array): string {
  if (bytes.length <= ARGUMENTS_MAX) return charactersOf(bytes);
  let text = "";
  for (let i = 0; i < bytes.length; i += ARGUMENTS_MAX) {
    text += charactersOf(bytes.subarray(i, i + ARGUMENTS_MAX));
  }
  return text;
}

/** So many arguments a call may have anywhere. */
const ARGUMENTS_MAX = 8192;

/** `apply` takes the bytes as they are; a spread would put them in an array first, and take four times as long. */
const charactersOf = (bytes: Uint8Array): string =>
  String.fromCharCode.apply(null, bytes as unknown as number[]);

/** The inverse of `toLatin1`. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder();

export function toUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Text for people; bytes that are not UTF-8 become U+FFFD. */
export function fromUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** Lexicographic order, as LevelDB's default comparator. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const result = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
