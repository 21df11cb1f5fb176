// Single keys: j and k walk the rows, x selects one, r i m u act on the selection or else the issue, [ and ] change the
// event, / searches, ? lists them all.
// They can be switched off on a device (WCAG 2.1.4), and never act while someone types.
const KEY = "bloop-shortcuts";
const STATUSES = { r: "resolved", i: "ignored", m: "muted", u: "unresolved" };
const dialog = document.querySelector("[data-shortcuts]");
const toggle = dialog.querySelector("[data-shortcuts-switch]");

try {
  toggle.checked = localStorage.getItem(KEY) !== "off";
  toggle.addEventListener("change", () => localStorage.setItem(KEY, toggle.checked ? "on" : "off"));
} catch {
  // storage may be forbidden: the keys stay on
}

const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
const currentRow = () => document.activeElement?.closest("[data-row]");

function walk(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(currentRow());
  const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1);
  all[next].querySelector("[data-row-link]").focus();
  all[next].scrollIntoView({ block: "nearest" });
}

async function refreshResults(position = null) {
  const results = document.querySelector("[data-results]");
  if (!results) return;
  await window.htmx.ajax("GET", location.pathname + location.search, {
    source: results,
    target: results,
    swap: "outerHTML",
  });
  const all = rows();
  if (position !== null) all[Math.min(position, all.length - 1)]?.querySelector("[data-row-link]").focus();
}

async function setStatus(row, status) {
  if (row.dataset.status === status) return;
  const position = rows().indexOf(row);
  const values = { status, was: row.dataset.status };
  await window.htmx.ajax("POST", row.dataset.statusUrl, { source: row, target: row, swap: "none", values });
  await refreshResults(position);
}

function toggleSelected(row, withRange) {
  const box = row?.querySelector("[data-select]");
  box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: withRange }));
}

// Only what does something on this page.
function list() {
  for (const each of dialog.querySelectorAll("[data-needs]")) each.hidden = !document.querySelector(each.dataset.needs);
  dialog.showModal();
}

function act(key) {
  if (key === "?") return list();
  if (key === "j" || key === "k") return walk(key === "j" ? 1 : -1);
  if (key === "/") {
    const field = document.querySelector("[data-search]");
    field?.focus();
    return field?.select();
  }
  const row = currentRow();
  if (key === "x" || key === "X") return toggleSelected(row, key === "X");
  const chosen = `[data-selection]:has([data-select]:checked) [data-select-key="${CSS.escape(key)}"]`;
  const forSelection = document.querySelector(chosen);
  if (forSelection) return forSelection.click();
  if (row?.dataset.statusUrl && STATUSES[key]) return setStatus(row, STATUSES[key]);
  return document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.click();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (event.key === "Escape" && event.target.matches?.("[data-search]") && !event.target.value) event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing || dialog.open) return;
  if (!toggle.checked && event.key !== "?") return;
  if (!"jkxXrimu[]/?".includes(event.key) || event.key.length !== 1) return;
  event.preventDefault();
  act(event.key);
});

// A row opens wherever it is clicked, also over the numbers that answer to hover.
document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-row]");
  if (!row || event.target.closest("a, button, input, label") || String(getSelection())) return;
  const link = row.querySelector("[data-row-link]");
  if (event.ctrlKey || event.metaKey) window.open(link.href, "_blank", "noopener");
  else link.click();
});

document.addEventListener("bloop:changed", () => refreshResults());
