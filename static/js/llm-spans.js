// Spans: rows of the list of traces that open in place; the tree that folds; the selected span; the width of the names.
const rows = (list) => [...list.querySelectorAll("[data-level]")];
const folded = (row) => row.querySelector("[data-fold]")?.getAttribute("aria-expanded") === "false";

// Hide what lies below folded rows: the list is flat, and a row belongs to all above it with a lower level.
function settle(list) {
  let under = Infinity;
  for (const row of rows(list)) {
    const level = Number(row.dataset.level);
    if (level <= under) under = Infinity;
    row.hidden = level > under;
    if (under === Infinity && folded(row)) under = level;
  }
}

function foldAll(list, open) {
  for (const button of list.querySelectorAll("[data-fold]")) button.setAttribute("aria-expanded", String(open));
  settle(list);
}

const rowOf = (id) => id && document.querySelector(`[data-span="${CSS.escape(id)}"]`);
const spanIn = (address) => new URL(address, location.href).searchParams.get("span");

// Mark the row of the span in the address, unfolded and in sight.
function select(address) {
  document.querySelector("[data-spans] [aria-current]")?.removeAttribute("aria-current");
  const row = rowOf(spanIn(address));
  if (!row) return;
  row.querySelector("[data-span-link]").setAttribute("aria-current", "true");
  if (row.hidden) foldAll(row.closest("[data-spans]"), true);
  row.scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-expand]");
  if (toggle && !event.ctrlKey && !event.metaKey) {
    const open = toggle.getAttribute("aria-expanded") !== "true";
    toggle.setAttribute("aria-expanded", String(open));
    document.getElementById(toggle.getAttribute("aria-controls")).hidden = !open;
    return;
  }
  const fold = event.target.closest("[data-fold]");
  if (fold) {
    fold.setAttribute("aria-expanded", String(fold.getAttribute("aria-expanded") === "false"));
    settle(fold.closest("[data-spans]"));
  }
  const all = event.target.closest("[data-fold-all], [data-unfold-all]");
  if (all) foldAll(document.querySelector("[data-trace] [data-spans]"), all.matches("[data-unfold-all]"));
});

// A role of button means the space bar too.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches?.("[data-expand]")) return;
  event.preventDefault();
  event.target.click();
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-split]")) {
    document.querySelector("[data-trace]").style.setProperty("--names", `${event.target.value}%`);
  }
});

// A failed span whose row is not loaded yet: its own page shows the rows around it.
document.addEventListener("htmx:beforeRequest", (event) => {
  const link = event.target.closest?.("[data-span-link]");
  if (!link || !spanIn(link.href) || rowOf(spanIn(link.href))) return;
  event.preventDefault();
  location.assign(link.href);
});

document.addEventListener("htmx:afterSettle", (event) => {
  const list = document.querySelector("[data-trace] [data-spans]");
  if (!list) return;
  if (event.detail.target?.matches?.("[data-span-detail]") || event.target.matches?.("[data-span-detail]")) {
    select(location.href);
  } else settle(list);
});
