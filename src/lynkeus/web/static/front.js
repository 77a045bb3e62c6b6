// Keeps the first page live: server-sent events, or polling where they do not come; says so when the server is lost.
import { tellAges } from "./ago.js";

const live = document.getElementById("live");
const lost = document.getElementById("lost");
const seen = new Map(); // part name -> HTML as the server sent it last
let heardMs = Date.now();

function parts(root) {
  return new Map([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

function refocus(href) {
  if (href === null) return;
  for (const link of live.querySelectorAll("a")) if (link.getAttribute("href") === href) return link.focus();
}

// Replaces only what changed, so that focus, selection and an open menu survive the second.
function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const [old, now] = [parts(live), parts(fresh)];
  if ([...old.keys()].join("\n") !== [...now.keys()].join("\n")) {
    for (const [name, part] of now) seen.set(name, part.outerHTML);
    live.replaceChildren(fresh);
    refocus(focused);
  } else {
    for (const [name, part] of now) {
      const text = part.outerHTML;
      if (seen.get(name) === text || (name === "filters" && seen.has(name))) continue;
      seen.set(name, text);
      if (name === "filters" && old.get(name).contains(document.activeElement)) continue;
      const held = old.get(name).contains(document.activeElement) ? focused : null;
      old.get(name).replaceWith(part);
      refocus(held);
    }
  }
  const open = Number(fresh.dataset.open);
  document.title = open ? `(${open} open) Lynkeus` : "Lynkeus";
  tellAges(live);
}

function hear(message) {
  heardMs = Date.now();
  lost.hidden = !message.trouble;
  if (message.trouble) lost.textContent = message.trouble;
  if (message.html) show(message.html);
}

async function poll() {
  try {
    const answer = await fetch(`/fragment${location.search}`);
    if (answer.ok) return hear({ html: await answer.text() });
  } catch {
    // The server is away: said below.
  }
  if (Date.now() - heardMs < 8000) return;
  lost.hidden = false;
  lost.textContent = `This page has not heard from its server since ${new Date(heardMs).toISOString().slice(11, 19)} UTC: what it shows is old.`;
}

const events = new EventSource(`/events${location.search}`);
events.onmessage = (event) => hear(JSON.parse(event.data));
setInterval(() => { if (Date.now() - heardMs > 4000) poll(); }, 2000);
addEventListener("pagehide", () => events.close());
live.addEventListener("change", (event) => event.target.closest("form.filters")?.requestSubmit());
