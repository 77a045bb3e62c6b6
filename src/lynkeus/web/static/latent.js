// The latent map: points coloured by a column, with the picture of the one pointed at.
import { axis, colour, draw, getJson, plain, say } from "./plots.js";

const plot = document.getElementById("latent-plot");
const form = document.getElementById("choices");
const hovered = document.getElementById("hovered");
const PALETTE = ["accent", "alarm", "line-2", "unsure", "good", "reference"];
const SYMBOLS = ["circle", "diamond", "cross"];

function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
}

function traces(map) {
  const common = (index, more) => ({
    type: "scatter", mode: "markers", x: index.map((k) => map.x[k]), y: index.map((k) => map.y[k]), customdata: index,
    text: index.map((k) => `${plain(map.file[k])}<br>${plain(map.colour)} ${plain(map.values[k] ?? "none")}`),
    hovertemplate: "%{text}<extra></extra>", ...more,
  });
  const all = map.number.map((_, k) => k);
  if (map.numeric) {
    const bar = { title: { text: plain(map.colour) }, thickness: 12, outlinewidth: 0 };
    return [common(all, { marker: { size: 6, color: map.values, colorscale: "Viridis", colorbar: bar } })];
  }
  return [...new Set(map.values)].sort().map((value, k) => common(all.filter((i) => map.values[i] === value), {
    name: plain(value), showlegend: true,
    marker: { size: 6, color: colour(PALETTE[k % PALETTE.length]), symbol: SYMBOLS[Math.floor(k / PALETTE.length) % SYMBOLS.length] },
  }));
}

const quiet = (title) => axis(title, { showticklabels: false, showgrid: false });

function show(map, k) {
  hovered.hidden = false;
  hovered.querySelector("img").src = `/inspect/images/${map.number[k]}/thumbnail?v=${map.key[k]}`;
  hovered.querySelector("figcaption").textContent = `${map.file[k]}: ${map.colour} ${map.values[k] ?? "none"}`;
}

async function redraw() {
  const map = await getJson("/inspect/latent/points", { method: form.elements.method.value, colour: form.elements.colour.value });
  if (!map.methods.length || map.message) return say(plot, map.message);
  fill(form.elements.method, map.methods, map.method);
  fill(form.elements.colour, map.columns, map.colour);
  form.hidden = false;
  await draw(plot, () => [traces(map), { xaxis: quiet(`${map.method} 1`), yaxis: quiet(`${map.method} 2`) }]);
  plot.removeAllListeners("plotly_hover");
  plot.removeAllListeners("plotly_click");
  plot.on("plotly_hover", ({ points: [point] }) => show(map, point.customdata));
  plot.on("plotly_click", ({ points: [point] }) => { location.href = `/inspect/images/${map.number[point.customdata]}`; });
}

form.addEventListener("change", redraw);
await redraw();
