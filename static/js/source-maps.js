// A form with data-map-upload sends its files one by one: each may be as large as a request, each is told about as soon
// as it is there, and a bar shows how far they are. Files are packed first where the browser can, so that large ones
// fit. Without this the form sends them all at once.
const PACKED_ABOVE = 64 * 1024;

async function packed(file) {
  if (file.size < PACKED_ABOVE || file.name.endsWith(".gz") || !("CompressionStream" in window)) return file;
  return new Response(file.stream().pipeThrough(new CompressionStream("gzip"))).blob();
}

// Sends one file; resolves to the server's words about it as a fragment of the page. Rejects with a reason.
function send(form, file, content, onProgress) {
  return new Promise((resolve, reject) => {
    const data = new FormData(form);
    data.delete("file");
    data.append("file", content, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.responseType = "text";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status === 200) resolve(document.createRange().createContextualFragment(request.responseText));
      else reject(new Error(request.status === 413 ? "larger than 32 MiB even when packed" : `not taken (${request.status})`));
    });
    request.addEventListener("error", () => reject(new Error("the connection broke; it was not sent")));
    request.send(data);
  });
}

function failed(template, name, reason) {
  const item = template.content.cloneNode(true);
  item.querySelector("[data-name]").textContent = name;
  item.querySelector("[data-reason]").textContent = reason;
  return item;
}

async function upload(form) {
  const part = (name) => form.parentElement.querySelector(`[data-map-${name}]`);
  const files = [...form.querySelector("[type=file]").files];
  const [work, words, share, bar, outcomes] = ["work", "words", "share", "progress", "outcomes"].map(part);
  const button = form.querySelector("[type=submit]");
  const total = files.reduce((sum, file) => sum + file.size, 0) || 1;
  const show = (done) => {
    bar.value = done / total;
    share.textContent = `${Math.floor((100 * done) / total)} %`;
  };
  let done = 0;
  let refused = 0;
  outcomes.replaceChildren();
  work.hidden = false;
  button.disabled = true;
  for (const [index, file] of files.entries()) {
    words.textContent = `${index + 1} of ${files.length}: ${file.name}`;
    show(done);
    try {
      const said = await send(form, file, await packed(file), (sent) => show(done + sent * file.size));
      const isBad = said.querySelector(".outcome--bad") !== null;
      refused += said.querySelectorAll(".outcome--bad").length;
      outcomes[isBad ? "prepend" : "append"](said); // what needs somebody is seen first
    } catch (error) {
      refused += 1;
      outcomes.prepend(failed(part("failed"), file.name, error.message));
    }
    done += file.size;
  }
  work.hidden = true;
  button.disabled = false;
  if (document.activeElement === document.body) button.focus({ preventScroll: true }); // it was lost with the button
  form.querySelector("[type=file]").value = "";
  const kept = files.length - refused;
  document.querySelector("[data-announcer]").textContent = `${kept} of ${files.length} source maps kept`;
  document.querySelector(form.dataset.refresh)?.dispatchEvent(new CustomEvent("maps-changed"));
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-map-upload]");
  if (!form) return;
  event.preventDefault();
  upload(form);
});
