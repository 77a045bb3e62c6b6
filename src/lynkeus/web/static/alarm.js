// The plots of the alarm page: channels over time; by position sample over reference and evidence; the trend.
import "./ago.js";
import "./remember.js";
import { axis, colour, draw, getJson, plain, say } from "./plots.js";
import { drawScore } from "./score.js";
import { drawStrips } from "./strips.js";

const page = document.getElementById("alarm").dataset;

// One row per plane (x over y), sharing the axis of positions.
function rows(groups) {
  const planes = [...new Set(groups.map((group) => group.plane))];
  const height = 1 / planes.length;
  return new Map(planes.map((plane, row) => [plane, {
    id: row ? `y${row + 1}` : "y", key: row ? `yaxis${row + 1}` : "yaxis",
    domain: [1 - (row + 1) * height + (row < planes.length - 1 ? 0.05 : 0), 1 - row * height],
  }]));
}

const pick = (values, index) => index.map((i) => values[i] ?? null);

function hover(plot, index) {
  return { text: pick(plot.channels, index).map(plain), hovertemplate: "%{text}<br>%{y:.4g}<extra></extra>" };
}

function layoutOf(plot, at, label) {
  const lowest = [...at.values()].at(-1);
  const layout = { xaxis: axis(plot.place_label, { anchor: lowest.id }), shapes: [] };
  for (const [plane, row] of at) layout[row.key] = axis(`${plane} ${label}`.trim(), { domain: row.domain });
  const named = plot.channels.indexOf(plot.where);
  if (named >= 0) {
    const x = plot.place[named];
    const line = { dash: "dot", width: 1.5, color: colour("alarm") };
    layout.shapes.push({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, layer: "below", line });
  }
  return layout;
}

function withRange(layout, range) {
  for (const key of Object.keys(layout).filter((name) => name.startsWith("yaxis"))) layout[key].range = range;
  return { ...layout, margin: { l: 56, r: 12, t: 8, b: 44 } };
}

function drawSample(plot) {
  const element = document.getElementById("sample-plot");
  if (!plot.sample.length) return say(element, "No sample was kept with this alarm.");
  const at = rows(plot.groups);
  const hasReference = plot.reference.length > 0;
  return draw(element, () => {
    const lines = [...new Set(plot.groups.map((group) => group.line))];
    const traces = plot.groups.flatMap((group) => {
      const line = lines.indexOf(group.line);
      const first = group.plane === plot.groups[0].plane;
      const common = {
        x: pick(plot.place, group.index), yaxis: at.get(group.plane).id, mode: "lines+markers", ...hover(plot, group.index),
      };
      const grey = { color: colour("reference") };
      const own = { color: colour(line % 2 ? "line-2" : "accent") };
      const reference = {
        ...common, y: pick(plot.reference, group.index), name: "nearest good reference", legendgroup: "reference",
        showlegend: first && line === 0,
        line: { ...grey, width: 3 }, marker: { ...grey, size: 3 }, opacity: 0.6,
      };
      const sample = {
        ...common, y: pick(plot.sample, group.index), name: plain(`sample ${group.line}`.trim()),
        legendgroup: group.line, showlegend: first,
        line: { ...own, width: 1.2 }, marker: { ...own, size: 5 },
      };
      return hasReference ? [reference, sample] : [sample];
    });
    const named = plot.channels.indexOf(plot.where);
    const group = plot.groups.find((one) => one.index.includes(named));
    if (group) {
      traces.push({
        x: [plot.place[named]], y: [plot.sample[named]], yaxis: at.get(group.plane).id, mode: "markers", showlegend: false,
        marker: { size: 14, symbol: "circle-open", line: { width: 2.5 }, color: colour("alarm") }, hoverinfo: "skip",
      });
    }
    return [traces, layoutOf(plot, at, plot.unit ? `(${plot.unit})` : "")];
  });
}

// What a millimetre scale hides: the same channels, reference taken off.
function drawDifference(plot) {
  const element = document.getElementById("difference-plot");
  if (!plot.sample.length || !plot.reference.length) return element.parentElement.removeChild(element);
  const at = rows(plot.groups);
  const difference = plot.sample.map((value, i) => (value == null || plot.reference[i] == null ? null : value - plot.reference[i]));
  return draw(element, () => {
    const lines = [...new Set(plot.groups.map((group) => group.line))];
    const traces = plot.groups.map((group) => ({
      x: pick(plot.place, group.index), y: pick(difference, group.index), yaxis: at.get(group.plane).id, showlegend: false,
      mode: "lines+markers", line: { color: colour(lines.indexOf(group.line) % 2 ? "line-2" : "accent"), width: 1.2 },
      marker: { size: 5 }, ...hover(plot, group.index),
    }));
    return [traces, layoutOf(plot, at, plot.unit ? `(${plot.unit})` : "")];
  });
}

function drawEvidence(plot) {
  const element = document.getElementById("evidence-plot");
  if (!plot.evidence.length) return say(element, "No evidence per channel was kept with this alarm.");
  const at = rows(plot.groups);
  const highest = Math.max(...plot.evidence) * 1.06; // one scale, so that planes can be compared
  const range = [Math.min(0, ...plot.evidence) * 1.06, highest];
  return draw(element, () => [
    plot.groups.flatMap((group) => {
      const stem = group.index.flatMap((i) => [plot.place[i], plot.place[i], null]);
      const high = group.index.flatMap((i) => [0, plot.evidence[i] ?? 0, null]);
      const colours = group.index.map((i) => colour(plot.channels[i] === plot.where ? "alarm" : "accent"));
      const common = { yaxis: at.get(group.plane).id, showlegend: false };
      return [
        { ...common, x: stem, y: high, mode: "lines", line: { color: colour("accent"), width: 1.6 }, hoverinfo: "skip" },
        {
          ...common, x: pick(plot.place, group.index), y: pick(plot.evidence, group.index), mode: "markers",
          marker: { color: colours, size: 5 }, ...hover(plot, group.index),
        },
      ];
    }),
    withRange(layoutOf(plot, at, ""), range),
  ]);
}

async function drawTrend() {
  const element = document.getElementById("trend-plot");
  if (!element) return null; // no score found it
  const points = await getJson("/api/v1/points", {
    monitor: page.monitor, output: page.output, start_ns: page.from, end_ns: page.to,
  });
  const alarm = { start_ns: Number(page.start), end_ns: page.end ? Number(page.end) : null };
  return drawScore(element, points, [alarm], Number(page.budget));
}

function drawOverTime(plot) {
  const element = document.getElementById("strips");
  if (!element || !plot.strips.length) return null;
  return drawStrips(element, plot.strips, Number(page.start) / 1e6, page.end ? Number(page.end) / 1e6 : null);
}

const plot = await getJson(`/api/v1/alarms/${page.id}/plot`);
const byPosition = plot.groups.length ? [drawSample(plot), drawDifference(plot), drawEvidence(plot)] : [];
await Promise.all([drawOverTime(plot), ...byPosition, drawTrend()]);
