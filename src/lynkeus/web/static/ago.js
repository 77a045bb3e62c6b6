// "3 min ago" beside every time, by the reader's clock.
const UNITS = [[86400, "days"], [3600, "h"], [60, "min"], [1, "s"]];

function inWords(seconds) {
  const [size, unit] = UNITS.find(([s]) => seconds >= s) ?? [1, "s"];
  const value = seconds / size;
  return `${value < 9.95 && size > 1 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value)} ${unit} ago`;
}

export function tellAges(root = document) {
  for (const span of root.querySelectorAll(".ago[data-ms]")) {
    const text = inWords(Math.max(0, (Date.now() - Number(span.dataset.ms)) / 1000));
    if (span.textContent !== text) span.textContent = text;
  }
}

tellAges();
setInterval(tellAges, 1000);
