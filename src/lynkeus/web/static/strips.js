// The channels of an alarm over time, a strip each with its own unit, the band of good data behind it.
import { axis, colour, draw, plain } from "./plots.js";

const FIRST = 2; // how much taller the first strip is

function domains(count) {
  const unit = 1 / (count - 1 + FIRST);
  let top = 1;
  return Array.from({ length: count }, (_, k) => {
    const height = unit * (k ? 1 : FIRST);
    const domain = [Math.max(0, top - height + 0.02 * unit), top - 0.34 * unit];
    top -= height;
    return domain;
  });
}

export function drawStrips(element, strips, startMs, endMs) {
  element.style.height = `${70 + 105 * (strips.length - 1 + FIRST)}px`;
  const cut = element.clientWidth < 500 ? 34 : 90;
  const short = (name) => (name.length > cut ? `${name.slice(0, cut - 1)}…` : name);
  return draw(element, () => {
    const at = domains(strips.length);
    const last = Math.max(...strips.map((strip) => strip.time_ms.at(-1) ?? 0));
    const layout = {
      showlegend: false, shapes: [], annotations: [], margin: { l: 58, r: 12, t: 4, b: 30 }, hovermode: "x",
      xaxis: axis("", { anchor: strips.length > 1 ? `y${strips.length}` : "y", type: "date", tickangle: 0, nticks: element.clientWidth < 500 ? 4 : 9 }),
    };
    const traces = strips.map((strip, k) => {
      const id = k ? `y${k + 1}` : "y";
      const known = strip.value.filter((value) => value !== null);
      const inside = [...known, ...[strip.low, strip.high].filter((value) => value !== null)];
      const [low, high] = [Math.min(...inside), Math.max(...inside)];
      const room = 0.06 * (high - low) || Math.abs(high) * 0.01 || 1;
      layout[k ? `yaxis${k + 1}` : "yaxis"] = axis("", { domain: at[k], range: [low - room, high + room], nticks: k ? 3 : 5 });
      if (strip.low !== null && strip.high !== null) {
        layout.shapes.push({
          type: "rect", xref: "paper", x0: 0, x1: 1, yref: id, y0: strip.low, y1: strip.high, layer: "below",
          line: { width: 0 }, fillcolor: colour("reference"), opacity: 0.28,
        });
      }
      layout.annotations.push({
        text: plain(short(strip.unit ? `${strip.name} (${strip.unit})` : strip.name)), x: 0, y: at[k][1], xref: "paper", yref: "paper",
        xanchor: "left", yanchor: "bottom", showarrow: false, font: { color: colour(k ? "muted" : "alarm"), size: k ? 13 : 15 },
      });
      return {
        x: strip.time_ms.map((ms) => new Date(ms)), y: strip.value, yaxis: id, mode: "lines", connectgaps: false,
        line: { color: colour("accent"), width: k ? 1.2 : 1.6 }, hovertemplate: `%{y:.5g} ${plain(strip.unit)}<extra>${plain(short(strip.name))}</extra>`,
      };
    });
    layout.shapes.push({
      type: "rect", xref: "x", x0: new Date(startMs), x1: new Date(endMs ?? last), yref: "paper", y0: 0, y1: 1, layer: "below",
      line: { width: 1, color: colour("alarm") }, fillcolor: colour("alarm"), opacity: 0.14,
    });
    return [traces, layout];
  });
}
