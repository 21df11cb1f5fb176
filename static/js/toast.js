// Short messages at the foot of the screen. A view sends HX-Trigger: {"toast": {"message": "...", "undo": {"url":
// "...", ...}}}: what else stands in undo is what is posted there. Requests that fail are said here too.
const LIFE = 8_000;
const holder = document.querySelector("[data-toasts]");
const pattern = document.querySelector("[data-toast-template]");

function show({ message, undo = null, lasting = false }) {
  for (const old of holder.children) {
    if (old.querySelector("[data-toast-words]").textContent === message) old.remove();
  }
  while (holder.children.length > 2) holder.firstElementChild.remove();
  const toast = pattern.content.cloneNode(true).firstElementChild;
  toast.querySelector("[data-toast-words]").textContent = message;
  toast.querySelector("[data-toast-close]").addEventListener("click", () => toast.remove());
  const button = toast.querySelector("[data-toast-undo]");
  if (undo) {
    button.addEventListener("click", () => {
      toast.remove();
      post(undo);
    });
  } else {
    button.remove();
  }
  holder.append(toast);
  if (!lasting) expire(toast);
}

// A message someone points at or has focused stays until they leave it.
function expire(toast) {
  let timer = setTimeout(() => toast.remove(), LIFE);
  const hold = () => clearTimeout(timer);
  const release = () => {
    hold();
    timer = setTimeout(() => toast.remove(), LIFE / 2);
  };
  toast.addEventListener("pointerenter", hold);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("pointerleave", release);
  toast.addEventListener("focusout", release);
}

async function post({ url, ...values }) {
  const panel = document.querySelector("[data-status-panel]");
  const target = panel ?? document.body;
  await window.htmx.ajax("POST", url, { source: target, target, swap: panel ? "outerHTML" : "none", values });
  if (!panel) document.dispatchEvent(new CustomEvent("bloop:changed"));
}

// What stands on the page stays true as of when it was loaded; the words say what to do.
function failed(event) {
  const status = event.detail.xhr?.status;
  const polling = event.detail.elt?.hasAttribute("data-poll");
  const why = status ? `The server answered ${status}.` : "The server could not be reached.";
  const what = polling ? "The counts are not being refreshed." : "That did not work; nothing was changed on this page.";
  show({ message: `${why} ${what} ${polling ? "They will be tried again." : "Try again in a moment."}`, lasting: true });
}

document.body.addEventListener("toast", (event) => show(event.detail));
document.body.addEventListener("htmx:responseError", failed);
document.body.addEventListener("htmx:sendError", failed);
