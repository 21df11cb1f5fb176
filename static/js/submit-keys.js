// Ctrl+Enter (or Cmd+Enter) in a field with data-submit-keys sends its form.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  const field = event.target.closest?.("[data-submit-keys]");
  if (!field?.form) return;
  event.preventDefault();
  field.form.requestSubmit();
});
