/** What every page is made of. */
const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
export const safe = (text) => String(text ?? "").replace(/[&<>"']/g, (character) => escapes[character]);

/** A box with a heading. */
export const card = (title, inner, kind = "") =>
  `<section class="${kind}" aria-label="${safe(title)}"><h2>${safe(title)}</h2>${inner}</section>`;

const GOOD = new Set(["healthy", "avail", "active", "info"]);
const BAD = new Set(["failure", "unavail", "offline", "failed", "err"]);
export const tone = (word) =>
  GOOD.has(word) ? "good" : BAD.has(word) || word.startsWith("failed") ? "bad" : "warn";
export const word = (text) => `<span class="${tone(text)}">${safe(text)}</span>`;

/** `columns`: title, the cell's markup for a row, and whether it is a number. */
export function table(caption, columns, rows) {
  const cell = (kind, { isNumber, isText }, inner) =>
    `<${kind} ${kind === "th" ? 'scope="col"' : ""} class="${isNumber ? "number" : isText ? "text" : ""}">${inner}</${kind}>`;
  const body = rows.map(
    (row) => `<tr>${columns.map((column) => cell("td", column, column.of(row))).join("")}</tr>`,
  );
  return `<div class="scroll" tabindex="0" role="region" aria-label="${safe(caption)}"><table><caption class="soft">${caption}</caption><thead><tr>${columns.map((column) => cell("th", column, column.title)).join("")}</tr></thead><tbody>${body.join("") || `<tr><td colspan="${columns.length}" class="soft">none</td></tr>`}</tbody></table></div>`;
}
