/** Any value that JSON could hold, as XML: names as in JSON, a list as one element for each item. */
export function toXml(name: string, value: unknown): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, value, "")}`;
}

function element(name: string, value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => element("item", item, `${indent}  `));
    return wrapped(name, items, indent);
  }
  if (typeof value === "object" && value !== null) {
    const parts = Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([key, part]) => element(key, part, `${indent}  `));
    return wrapped(name, parts, indent);
  }
  return `${indent}<${name}>${escaped(String(value))}</${name}>`;
}

function wrapped(name: string, parts: readonly string[], indent: string): string {
  if (parts.length === 0) return `${indent}<${name}/>`;
  return `${indent}<${name}>\n${parts.join("\n")}\n${indent}</${name}>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** Without the characters that XML cannot hold. */
function escaped(text: string): string {
  const clean = Array.from(text)
    .filter((character) => character >= " " || character === "\t" || character === "\n")
    .join("");
  return clean.replace(/[&<>]/g, (sign) => ENTITIES[sign] ?? sign);
}
