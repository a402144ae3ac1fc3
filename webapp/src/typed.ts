// What a person typed, as bytes.

const encoder = new TextEncoder();

/**
 * A password typed on one device is the same bytes on another: accents composed (NFC), and every kind of space a plain one, as
 * RFC 8265 has it. Nothing else is changed.
 */
export function passwordBytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text.replace(/\p{Zs}/gu, " ").normalize("NFC"));
}
