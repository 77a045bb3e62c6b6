// Draws with plotly in the colours of the style sheet, and draws again when the reader's light changes.
const drawn = new Map(); // element -> function that makes [traces, layout]
const dark = matchMedia("(prefers-color-scheme: dark)");
const touch = matchMedia("(pointer: coarse)"); // a finger scrolls the page, it does not zoom the plot

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export const toDate = (ns) => new Date(ns / 1e6);

export async function getJson(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const answer = await fetch(`${path}?${new URLSearchParams(given)}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

export function say(element, text) {
  element.classList.add("empty");
  const line = document.createElement("p");
  line.className = "quiet";
  line.textContent = text;
  element.replaceChildren(line);
}

// plotly reads <b>, <a> ... in its labels: a channel's name is text.
export const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export function axis(title, more = {}) {
  const quiet = { gridcolor: colour("line"), linecolor: colour("line"), zerolinecolor: colour("line"), zeroline: false };
  return { title: { text: plain(title), standoff: 8 }, automargin: true, fixedrange: false, exponentformat: "e", ...quiet, ...more };
}

function layoutOf(layout) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: touch.matches ? false : "zoom", hovermode: "closest",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("text") },
    margin: { l: 56, r: 12, t: 30, b: 44 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("text") } },
    ...layout,
  };
}

export async function draw(element, make) {
  drawn.set(element, make);
  element.classList.remove("empty");
  const [traces, layout] = make();
  await Plotly.react(element, traces, layoutOf(layout), { displayModeBar: false, responsive: true, showTips: false });
  element.dataset.drawn = "yes";
}

dark.addEventListener("change", () => { for (const [element, make] of drawn) draw(element, make); });
