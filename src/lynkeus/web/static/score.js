// Score over how rare it is, on one time axis, with alarms as bands: for the alarm page and the trend page.
import { axis, colour, draw, say, toDate } from "./plots.js";

const RAREST = 1e-6; // per hour: rarer than this is drawn here
const TICKS = [
  [1e2, "100 / h"], [1e1, "10 / h"], [1, "1 / h"], [1e-1, "1 in 10 h"], [1e-2, "1 in 100 h"], [1e-3, "1 in 1000 h"],
  [1e-4, "1 in 1 y"], [1e-5, "1 in 11 y"], [1e-6, "1 in 114 y"],
];

function bands(alarms, lastNs) {
  return alarms.map((alarm) => ({
    type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, layer: "below", line: { width: 1, color: colour("alarm") },
    x0: toDate(alarm.start_ns), x1: toDate(alarm.end_ns ?? lastNs), fillcolor: colour("alarm"), opacity: 0.22,
  }));
}

const heading = (text, y) => ({
  text, x: 0, y, xref: "paper", yref: "paper", xanchor: "left", yanchor: "top", showarrow: false, font: { color: colour("muted") },
});

export function drawScore(element, points, alarms, budget) {
  if (!points.start_ns.length) return say(element, "No scores of this time are kept.");
  const times = points.start_ns.map(toDate);
  const rates = points.alarms_per_hour.map((rate) => (rate === null ? null : Math.max(rate, RAREST)));
  const known = rates.filter((rate) => rate !== null);
  const rarest = known.reduce((low, rate) => Math.min(low, rate), budget);
  const span = [Math.log10(budget) + 2.2, Math.log10(rarest) - 0.4]; // commoner than 100 times the budget: no news
  const line = (y, yaxis, name) => ({
    x: times, y, yaxis, name, mode: "lines", line: { color: colour("accent"), width: 1.3 }, connectgaps: false,
    text: points.where, hovertemplate: "%{y:.3g} %{text}<br>%{x|%H:%M:%S}<extra></extra>", showlegend: false,
  });
  const limit = { type: "line", xref: "paper", x0: 0, x1: 1, yref: "y2", y0: budget, y1: budget };
  return draw(element, () => [
    [line(points.score, "y", "score"), line(rates, "y2", "rate")],
    {
      xaxis: axis("", { anchor: "y2", type: "date", tickangle: 0, nticks: element.clientWidth < 500 ? 4 : 8 }),
      yaxis: axis("", { domain: [0.56, 0.94], rangemode: "tozero" }),
      yaxis2: axis("", {
        domain: [0, 0.42], type: "log", range: span, tickvals: TICKS.map(([rate]) => rate), ticktext: TICKS.map(([, text]) => text),
      }),
      shapes: [...bands(alarms, points.end_ns.at(-1)), { ...limit, line: { dash: "dash", width: 1, color: colour("alarm") } }],
      annotations: [heading("score", 1), heading("how often good data does this", 0.485)],
      margin: { l: 40, r: 12, t: 4, b: 30 },
    },
  ]);
}
