// A form with data-confirm-name lets its button be pressed only when the field holds exactly that name. Without this
// the server checks it, and it does so anyway.
const tidy = (text) => text.normalize("NFC").trim();

function check(form) {
  const typed = form.querySelector("[data-confirm-input]");
  form.querySelector("[data-confirm-button]").disabled = tidy(typed.value) !== tidy(form.dataset.confirmName);
}

for (const form of document.querySelectorAll("[data-confirm-name]")) {
  form.addEventListener("input", () => check(form));
  check(form);
}
