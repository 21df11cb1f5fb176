// What refreshes by itself: polls rest while nobody looks, counts are announced only when they change, empty filters
// stay out of the address, and the focus survives a swap.
let announced = document.querySelector("[data-announce]")?.dataset.announce;

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.hasAttribute("data-poll")) event.preventDefault();
});

document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.hasAttribute("data-filters")) return;
  const data = event.detail.formData;
  for (const [name, value] of [...data.entries()]) if (value === "" && name !== "status") data.delete(name);
});

document.addEventListener("htmx:afterSettle", () => {
  const words = document.querySelector("[data-announce]")?.dataset.announce;
  if (words && words !== announced) {
    document.querySelector("[data-announcer]").textContent = words;
    announced = words;
  }
});

// A button that was pressed may be gone after the swap: the focus goes to the part that was renewed.
document.addEventListener("htmx:afterSwap", (event) => {
  const { id } = event.detail.target;
  if (document.activeElement !== document.body || !id) return;
  document.getElementById(id)?.querySelector("[data-focus-after-swap]")?.focus({ preventScroll: true });
});

// Another window of a chart, and the way out of chosen hours, keep the filters that were chosen since the page came.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-window], .windows a.chip");
  if (!link) return;
  const address = new URL(location.href);
  for (const name of ["from", "to", "page"]) address.searchParams.delete(name);
  if (link.hasAttribute("data-window")) address.searchParams.set("hours", new URL(link.href).searchParams.get("hours"));
  link.href = address;
});
