"""A few lines in each language that sign an event and send it: what a program without an SDK needs (contract 1.1)."""

from dataclasses import dataclass

PLACEHOLDER = "YOUR-PROJECT-KEY"

SHELL = r"""
KEY='@KEY@'
BODY='{"error_type":"HelloError","message":"Hello from the shell","release":"1.0.0"}'
SIGNATURE=$(printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$KEY" -hex | sed 's/^.* //')

curl '@URL@' \
  -H 'Content-Type: application/json' \
  -H "X-Project-Key: $KEY" \
  -H "X-Signature: $SIGNATURE" \
  --data-binary "$BODY"
"""

PYTHON = r"""
import hashlib, hmac, json, urllib.request

KEY = "@KEY@"
event = {"error_type": "HelloError", "message": "Hello from Python", "source": "python"}
body = json.dumps(event).encode()
signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()

headers = {"Content-Type": "application/json", "X-Project-Key": KEY, "X-Signature": signature}
request = urllib.request.Request("@URL@", data=body, headers=headers)
print(urllib.request.urlopen(request).read().decode())
"""

# Web Crypto, not node:crypto: the same lines run in Node 20, Deno, Bun and browsers.
JAVASCRIPT = r"""
const KEY = "@KEY@";
const event = { error_type: "HelloError", message: "Hello from JavaScript", release: "1.0.0" };
const body = JSON.stringify(event);
const bytes = (text) => new TextEncoder().encode(text);
const hmac = { name: "HMAC", hash: "SHA-256" };
const secret = await crypto.subtle.importKey("raw", bytes(KEY), hmac, false, ["sign"]);
const mac = new Uint8Array(await crypto.subtle.sign("HMAC", secret, bytes(body)));
const signature = [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const answer = await fetch("@URL@", {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-Project-Key": KEY, "X-Signature": signature },
  body,
});
console.log(await answer.text());
"""

RUBY = r"""
require "json"
require "net/http"
require "openssl"

KEY = "@KEY@"
body = { error_type: "HelloError", message: "Hello from Ruby", source: "ruby" }.to_json
headers = {
  "Content-Type" => "application/json",
  "X-Project-Key" => KEY,
  "X-Signature" => OpenSSL::HMAC.hexdigest("SHA256", KEY, body)
}
puts Net::HTTP.post(URI("@URL@"), body, headers).body
"""

SWIFT = r"""
import CryptoKit
import Foundation

let key = "@KEY@"
let event = ["error_type": "HelloError", "message": "Hello from Swift", "source": "ios"]
let body = try JSONSerialization.data(withJSONObject: event)
let mac = HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: Data(key.utf8)))
let signature = mac.map { String(format: "%02x", $0) }.joined()

var request = URLRequest(url: URL(string: "@URL@")!)
request.httpMethod = "POST"
request.httpBody = body
request.setValue("application/json", forHTTPHeaderField: "Content-Type")
request.setValue(key, forHTTPHeaderField: "X-Project-Key")
request.setValue(signature, forHTTPHeaderField: "X-Signature")
let (answer, _) = try await URLSession.shared.data(for: request)
print(String(decoding: answer, as: UTF8.self))
"""

KOTLIN = r'''
import java.net.HttpURLConnection
import java.net.URL
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

fun main() {
    val key = "@KEY@"
    val event = """{"error_type":"HelloError","message":"Hello from Kotlin","source":"android"}"""
    val body = event.toByteArray()
    val mac = Mac.getInstance("HmacSHA256")
    mac.init(SecretKeySpec(key.toByteArray(), "HmacSHA256"))
    val signature = mac.doFinal(body).joinToString("") { "%02x".format(it) }

    val connection = URL("@URL@").openConnection() as HttpURLConnection
    connection.requestMethod = "POST"
    connection.doOutput = true
    connection.setRequestProperty("Content-Type", "application/json")
    connection.setRequestProperty("X-Project-Key", key)
    connection.setRequestProperty("X-Signature", signature)
    connection.outputStream.use { it.write(body) }
    println(connection.inputStream.bufferedReader().readText())
}
'''

LANGUAGES = (
    ("shell", "Shell", "Needs openssl and curl.", SHELL),
    ("python", "Python", "Needs nothing but Python 3.", PYTHON),
    ("javascript", "JavaScript", "Runs as a module in Node 20 or later, Deno, Bun and browsers.", JAVASCRIPT),
    ("ruby", "Ruby", "Needs nothing but Ruby.", RUBY),
    ("swift", "Swift", "For iOS 15, macOS 12 and later.", SWIFT),
    ("kotlin", "Kotlin", "For Android (off the main thread) and the JVM.", KOTLIN),
)


@dataclass(frozen=True)
class Snippet:
    """A language's lines, with the address and, when it may be shown, the key filled in."""

    slug: str
    label: str
    needs: str
    code: str


def snippets(*, url: str, key: str | None) -> list[Snippet]:
    """One snippet for each language. key: of the characters that `new_api_key` makes, so no language has to escape it;
    without one a placeholder stands in its place.
    """
    return [
        Snippet(slug, label, needs, code.strip().replace("@URL@", url).replace("@KEY@", key or PLACEHOLDER))
        for slug, label, needs, code in LANGUAGES
    ]
