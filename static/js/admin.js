// The lists of the admin: one box ticks them all, and a line says how many are ticked. Without this they are ticked
// one by one.
const form = document.querySelector("#changelist-form");
const all = form?.querySelector("#action-toggle");
const words = form?.querySelector("[data-ticked]");
const boxes = () => [...form.querySelectorAll(".action-select")];

function tell() {
  const ticked = boxes().filter((box) => box.checked).length;
  words.textContent = ticked ? `${ticked} ticked` : "";
  all.checked = ticked > 0 && ticked === boxes().length;
  all.indeterminate = ticked > 0 && !all.checked;
}

if (all && words) {
  form.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    tell();
  });
  addEventListener("pageshow", tell);
}
