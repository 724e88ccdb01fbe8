/** Line charts as SVG, with a text for those who do not see them. */
const WIDTH = 600;
const HEIGHT = 210;
const LEFT = 92;
const BOTTOM = 26;
const TOP = 14;

/** A round number at or above the value, so that the scale stays still. */
export function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= value);
}

/**
 * `lines`: name, class, and the value of a sample; `show` writes a value; `least`: what the scale reaches at least. Time runs from an hour ago to the last sample.
 */
export function chart(samples, lines, show, title, least) {
  const end = samples.at(-1)?.atMs ?? 0;
  const begin = Math.min(samples[0]?.atMs ?? 0, end - 60_000);
  const top = ceiling(Math.max(least, ...samples.flatMap((sample) => lines.map(({ of }) => of(sample)))));
  const x = (atMs) => LEFT + ((atMs - begin) / (end - begin || 1)) * (WIDTH - LEFT - 6);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const grid = [0, 0.5, 1].map((part) => {
    const at = y(part * top).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${at}" y2="${at}"/><text x="${LEFT - 6}" y="${Number(at) + 4}" text-anchor="end">${show(part * top)}</text>`;
  });
  const paths = lines.map(({ tone, of }) => {
    const points = samples.map((sample) => `${x(sample.atMs).toFixed(1)} ${y(of(sample)).toFixed(1)}`);
    return points.length === 0 ? "" : `<path class="${tone}" d="M${points.join("L")}"/>`;
  });
  const minutes = Math.max(1, Math.round((end - begin) / 60_000));
  const last = samples.at(-1);
  const now = lines.map(({ name, of }) => `${name} ${last === undefined ? "-" : show(of(last))}`).join(", ");
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}: ${now}">${grid.join("")}${paths.join("")}<text x="${LEFT}" y="${HEIGHT - 4}">${minutes} min ago</text><text x="${WIDTH}" y="${HEIGHT - 4}" text-anchor="end">now</text></svg><ul class="key">${lines.map(({ name, tone, of }) => `<li class="${tone}">${name}: ${last === undefined ? "-" : show(of(last))}</li>`).join("")}</ul>`;
}
