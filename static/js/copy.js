// A button with data-copy="#id" copies the text of that element, and says so for two seconds.
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    // No clipboard outside https and localhost: select the text, so that one key copies it.
    if (!source.checkVisibility()) return copyHidden(source.textContent);
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

// What is folded away cannot be selected: a field that lives for a moment can.
function copyHidden(text) {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "sr-only";
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus();
  return copied;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  const source = button && document.querySelector(button.dataset.copy);
  if (!source) return;
  const words = button.querySelector("[data-copy-words]");
  button.dataset.copyLabel ??= words.textContent;
  words.textContent = (await copy(source)) ? "Copied" : "Selected";
  clearTimeout(Number(button.dataset.copyTimer));
  button.dataset.copyTimer = String(setTimeout(() => (words.textContent = button.dataset.copyLabel), 2000));
});
