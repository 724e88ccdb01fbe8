/** What every page is made of. */
const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
export const safe = (text) => String(text ?? "").replace(/[&<>"']/g, (character) => escapes[character]);

/** A box with a heading. */
export const card = (title, inner, kind = "") =>
  `<section class="${kind}" aria-label="${safe(title)}"><h2>${safe(title)}</h2>${inner}</section>`;
