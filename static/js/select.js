// Selecting rows of a list: the box in the header ticks the page, shift ticks a range, "matching" stands for all pages.
// The bar with what can be done shows by the style sheet; here are its count, and who cannot see it hears it.
const announcer = document.querySelector("[data-announcer]");
const number = new Intl.NumberFormat("en-US");
let lastTicked = null;
let said = "";

const boxes = (form) => [...form.querySelectorAll("[data-select]")];
const ticked = (form) => boxes(form).filter((box) => box.checked);

function say(words) {
  if (words === said) return;
  said = words;
  announcer.textContent = words;
}

// Bring header box, count and words in line with the rows' boxes.
function settle(form) {
  const all = boxes(form);
  const count = ticked(form).length;
  const page = form.querySelector("[data-select-page]");
  const matching = form.querySelector("[data-select-matching]");
  page.checked = count > 0 && count === all.length;
  page.indeterminate = count > 0 && count < all.length;
  if (matching && count < all.length) matching.checked = false;
  const total = matching?.checked ? Number(matching.dataset.total) : count;
  const words = `${matching?.checked && matching.dataset.more === "yes" ? "more than " : ""}${number.format(total)}`;
  form.querySelector("[data-selected-count]").textContent = words;
  return `${words} issue${total === 1 ? "" : "s"} selected`;
}

function tickAll(form, checked) {
  for (const box of boxes(form)) box.checked = checked;
  lastTicked = null;
}

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("[data-select]");
  if (box) {
    const all = boxes(box.form);
    const from = all.indexOf(lastTicked);
    if (event.shiftKey && from >= 0) {
      const [low, high] = [from, all.indexOf(box)].sort((one, other) => one - other);
      for (const each of all.slice(low, high + 1)) each.checked = box.checked;
    }
    lastTicked = box;
  }
  const none = event.target.closest?.("[data-select-none]");
  if (!none) return;
  tickAll(none.form, false);
  say(settle(none.form));
  none.form.querySelector("[data-row-link]")?.focus({ preventScroll: true });
});

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-selection]");
  if (!form) return;
  if (event.target.matches("[data-select-page]")) tickAll(form, event.target.checked);
  if (event.target.matches("[data-select-matching]") && event.target.checked) tickAll(form, true);
  say(settle(form));
});

document.addEventListener("keydown", (event) => {
  const form = document.querySelector("[data-selection]");
  if (event.key !== "Escape" || !form || !ticked(form).length) return;
  if (event.defaultPrevented || event.target.closest?.("dialog, [data-search], details[open]")) return;
  tickAll(form, false);
  say(settle(form));
});

// After a swap: what was done is said; a page restored by the browser may come with ticked boxes.
function settleAll() {
  document.querySelectorAll("[data-selection]").forEach(settle);
  const done = document.querySelector("[data-work-words]")?.textContent.trim();
  if (done) say(done);
}

settleAll();
document.addEventListener("htmx:afterSettle", settleAll);
window.addEventListener("pageshow", settleAll);
