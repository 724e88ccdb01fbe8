/** The polynomial of `crc32`, the lowest bit standing for the highest power. */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;

/**
 * The CRC-32 of bytes that are followed by others, from the CRC-32 of each: `append(crc32(a), crc32(b))` is the CRC-32 of
 * `a` and `b` in one piece. To be made once for every length that what is appended has.
 */
export function crc32Append(lengthBytes: number): (first: number, appended: number) => number {
  const [lowest, low, high, highest] = tablesOf(shiftOf(lengthBytes));
  return (first, appended) =>
    (at(lowest, first & 255) ^
      at(low, (first >>> 8) & 255) ^
      at(high, (first >>> 16) & 255) ^
      at(highest, first >>> 24) ^
      appended) >>>
    0;
}

type Tables = readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array];

/** The products of the factor with every byte at each place of a number. */
function tablesOf(factor: number): Tables {
  return [tableOf(factor, 0), tableOf(factor, 8), tableOf(factor, 16), tableOf(factor, 24)];
}

function tableOf(factor: number, shift: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => product(factor, (byte << shift) >>> 0));
}

function at(table: Uint32Array, index: number): number {
  return table[index] as number;
}

/** What a CRC is multiplied by when so many bytes follow: the power of x with eight times that exponent. */
function shiftOf(lengthBytes: number): number {
  let shift = ONE;
  let power = ONE >>> 8;
  for (let rest = lengthBytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shift = product(shift, power);
    power = product(power, power);
  }
  return shift;
}

/** The product of two polynomials over GF(2), modulo that of the CRC. */
function product(first: number, second: number): number {
  let result = 0;
  let multiple = second;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((first & bit) !== 0) result ^= multiple;
    multiple = (multiple & 1) === 0 ? multiple >>> 1 : (multiple >>> 1) ^ POLYNOMIAL;
  }
  return result >>> 0;
}
