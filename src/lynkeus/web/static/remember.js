// The name that one gave last is filled in next time; it stays in this browser.
const KEY = "lynkeus name";
for (const input of document.querySelectorAll("input[data-remember]")) {
  try {
    if (!input.value) input.value = localStorage.getItem(KEY) ?? "";
    input.form?.addEventListener("submit", () => localStorage.setItem(KEY, input.value.trim()));
  } catch {
    // Storage is switched off in this browser: the name is typed again.
  }
}
