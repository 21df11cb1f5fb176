// Passkeys. A form with data-passkey runs its ceremony when it is sent: data-start gives a challenge, the device
// answers it, data-finish takes the answer, and data-next is where to go then. Both get the form's own fields as JSON.
// A button with data-passkey-skip sends the form as it is. What goes wrong is said in the form's [data-passkey-error].
// On a sign-in form the browser also offers its passkeys in the name field, until the button is pressed.
const CREATES = ["register", "invite", "add"];
const OFFER_LIFE = 90_000; // a challenge is good for two minutes
const NOT_SENT = ["csrfmiddlewaretoken", "next"];

// Words for what browsers call by a name, and for the server's texts that scripts rely on.
const WORDS = {
  NotAllowedError: "The prompt was closed, or it took too long. Nothing was changed. Try again.",
  InvalidStateError: "This device already has a passkey for this account. Use that one, or another device.",
  NotSupportedError: "This device cannot make a passkey that Bloop understands. Try another device or a security key.",
  ConstraintError: "This device cannot check that it is you. Set up a screen lock or a PIN on it, then try again.",
  away: "The server could not be reached. Check the connection and try again.",
  unsupported: "This browser knows no passkeys. Use a newer one, or another way to sign in.",
  insecure: "Browsers allow passkeys only over https or on localhost, and this page came over plain http.",
  "authentication failed": "This passkey was not accepted. It may have been removed, or your device knows an older one.",
  "challenge expired or invalid": "That took longer than two minutes, so the request ran out. Try again.",
  "registration is closed": "Somebody has set Bloop up already. Ask them for an invite.",
  "no credentials registered": "Nobody has a passkey here yet. Use a sign-in link.",
  "invite token is invalid or expired": "This invite was used, withdrawn, or is too old. Ask for a new one.",
  "authentication required": "You are signed out. Sign in again, then come back.",
  "invalid or expired session": "Your session has ended. Sign in again, then come back.",
};

class Refusal extends Error {}

// --- Bytes and JSON ---

const fromBase64url = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const toBase64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

// Not the browser's own parseCreationOptionsFromJSON and toJSON: password managers that stand in for it lack them.
function unpacked(options) {
  const withBytes = (each) => ({ ...each, id: fromBase64url(each.id) });
  return {
    ...options,
    challenge: fromBase64url(options.challenge),
    ...(options.user && { user: withBytes(options.user) }),
    ...(options.excludeCredentials && { excludeCredentials: options.excludeCredentials.map(withBytes) }),
    ...(options.allowCredentials && { allowCredentials: options.allowCredentials.map(withBytes) }),
  };
}

function packed(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toBase64url(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return { id: credential.id, rawId: toBase64url(credential.rawId), type: credential.type, response };
}

async function post(url, body) {
  let answer;
  try {
    answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refusal(WORDS.away);
  }
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  if (answer.status === 429) throw new Refusal(tooMany(Number(answer.headers.get("Retry-After"))));
  throw new Refusal(sentence(said.error ?? `the server answered ${answer.status}`));
}

const tooMany = (seconds) =>
  `Too many attempts. Try again in ${seconds > 1 ? `${seconds} seconds` : "a second"}.`;

const sentence = (text) => WORDS[text] ?? text[0].toUpperCase() + text.slice(1).replace(/\.?$/, ".");

// --- The ceremony ---

// What keeps passkeys from working here at all, in words; null when nothing does.
function obstacle(form) {
  const { origin } = form.dataset;
  if (origin && origin !== location.origin) return wrongAddress(origin);
  if (!isSecureContext) return WORDS.insecure;
  return window.PublicKeyCredential ? null : WORDS.unsupported;
}

const wrongAddress = (origin) =>
  `Passkeys work at ${origin ?? "Bloop's own address"} only, and this page is open at ${location.origin}. Open it there.`;

const fieldsOf = (form) =>
  Object.fromEntries(
    [...new FormData(form)].filter(([name, value]) => !NOT_SENT.includes(name) && value.trim() !== ""),
  );

async function hold(form) {
  const hindrance = obstacle(form);
  if (hindrance) throw new Refusal(hindrance);
  const fields = fieldsOf(form);
  const { challenge_id, publicKey } = await post(form.dataset.start, fields);
  const options = { publicKey: unpacked(publicKey) };
  if (!CREATES.includes(form.dataset.passkey)) {
    const credential = await navigator.credentials.get(options);
    return post(form.dataset.finish, { ...fields, challenge_id, credential: packed(credential) });
  }
  const credential = await navigator.credentials.create(options);
  try {
    return await post(form.dataset.finish, { ...fields, challenge_id, credential: packed(credential) });
  } catch (error) {
    forget(publicKey.rp.id, credential.id);
    throw error;
  }
}

// The server did not take the new passkey: where the browser can, the device is told to drop it again.
function forget(rpId, credentialId) {
  window.PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId }).catch(() => {});
}

function words(error, form) {
  if (error instanceof Refusal) return error.message;
  if (error.name === "SecurityError") return wrongAddress(form.dataset.origin);
  return WORDS[error.name] ?? `The browser could not use a passkey: ${error.message}`;
}

// --- The form ---

function say(form, text) {
  const box = form.querySelector("[data-passkey-error]");
  if (!box) return;
  (box.querySelector("[data-passkey-text]") ?? box).textContent = text;
  box.hidden = text === "";
}

function setBusy(form, busy) {
  form.setAttribute("aria-busy", String(busy));
  for (const button of form.querySelectorAll("button:not([data-passkey-skip])")) {
    button.setAttribute("aria-disabled", String(busy)); // not `disabled`: that would lose the focus
  }
}

const isBusy = (form) => form.getAttribute("aria-busy") === "true";

function leave(form) {
  if (form.dataset.next) location.assign(form.dataset.next);
  else location.reload();
}

async function run(form) {
  if (isBusy(form)) return;
  setBusy(form, true);
  say(form, "");
  try {
    await withdraw();
    await hold(form);
    leave(form);
  } catch (error) {
    setBusy(form, false);
    say(form, words(error, form));
    makeOffer();
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-passkey]");
  if (!form || event.submitter?.hasAttribute("data-passkey-skip")) return;
  event.preventDefault();
  run(form);
});

// Back from where a ceremony led: the page may be kept as it was left.
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.querySelectorAll("form[data-passkey]")) setBusy(form, false);
});

// --- The offer in the name field ---

const offering = document.querySelector("form[data-passkey='sign-in'] [autocomplete~='webauthn']")?.form;
let offer = null; // { stop: AbortController, asked: a promise that settles when the server has answered, since }
let renewal = 0;

// A challenge lives in the session, so the next may be asked for only when this one's answer is there.
async function withdraw() {
  clearTimeout(renewal);
  const last = offer;
  offer = null;
  last?.stop.abort();
  await last?.asked.catch(() => {});
}

async function makeOffer() {
  if (!offering || isBusy(offering) || obstacle(offering)) return;
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  await withdraw();
  if (isBusy(offering)) return;
  const mine = { stop: new AbortController(), asked: post(offering.dataset.start, {}), since: Date.now() };
  offer = mine;
  renewal = setTimeout(renew, OFFER_LIFE);
  try {
    const { challenge_id, publicKey } = await mine.asked;
    const { signal } = mine.stop;
    signal.throwIfAborted();
    const credential = await navigator.credentials.get({
      publicKey: unpacked(publicKey),
      mediation: "conditional",
      signal,
    });
    await take(challenge_id, credential);
  } catch {
    // withdrawn, nobody has a passkey yet, or the browser has none: the button is still there and says what is wrong
  }
}

async function take(challenge_id, credential) {
  clearTimeout(renewal);
  offer = null;
  setBusy(offering, true);
  say(offering, "");
  try {
    await post(offering.dataset.finish, { challenge_id, credential: packed(credential) });
    leave(offering);
  } catch (error) {
    setBusy(offering, false);
    say(offering, words(error, offering)); // and no new offer: an automatic answer would be refused for ever
  }
}

// A page nobody looks at asks for nothing; it makes a new offer when it is looked at again.
function renew() {
  if (offer && document.visibilityState === "visible") makeOffer();
}

document.addEventListener("visibilitychange", () => {
  if (offer && Date.now() - offer.since >= OFFER_LIFE) renew();
});

// --- The address ---

// What the server takes for this page's address may be a proxy's; the browser knows better.
for (const note of document.querySelectorAll("[data-passkey-address]")) {
  note.hidden = note.dataset.passkeyAddress === location.origin;
}

makeOffer();
