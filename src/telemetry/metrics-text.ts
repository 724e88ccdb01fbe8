import type { MetricLabels, MetricSample } from "./metrics.js";

/** Of an answer that holds `metricsText`. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The samples in Prometheus' text format 0.0.4. Those of one name are put together, as the format wants it. */
export function metricsText(samples: readonly MetricSample[]): string {
  const families = new Map<string, MetricSample[]>();
  for (const sample of samples) {
    const family = families.get(sample.name);
    if (family === undefined) families.set(sample.name, [sample]);
    else family.push(sample);
  }
  return [...families.values()].map(familyText).join("");
}

function familyText(family: readonly MetricSample[]): string {
  const [first] = family;
  if (first === undefined) return "";
  const { name, help, type } = first;
  const head = `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n# TYPE ${name} ${type}\n`;
  return head + family.map(sampleText).join("");
}

function sampleText(sample: MetricSample): string {
  const { name, labels } = sample;
  if (sample.type !== "histogram") return line(name, labels, sample.value);
  let count = 0;
  const buckets = sample.counts.map((own, index) => {
    count += own;
    const bound = sample.upperBounds[index];
    return line(`${name}_bucket`, { ...labels, le: bound === undefined ? "+Inf" : String(bound) }, count);
  });
  return [...buckets, line(`${name}_sum`, labels, sample.sum), line(`${name}_count`, labels, count)].join("");
}

function line(name: string, labels: MetricLabels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
