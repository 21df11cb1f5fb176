"""Run Bloop in the background for `make up`, `make ps` and `make stop`. Its pid and log stand in data/.

usage: python scripts/background.py start [serve's options] | ps | stop
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PID_FILE = ROOT / "data" / "bloop.pid"
LOG_FILE = ROOT / "data" / "bloop.log"
START_SECONDS = 30
STOP_SECONDS = 12  # serve itself promises 8

sys.path.insert(0, str(ROOT))


def processes() -> list[dict[str, str]]:
    """Every process of this machine: pid, pgid, etime, rss (KB) and command, as `ps` or /proc tell it."""
    if Path("/proc/self/stat").exists():
        return [found for entry in Path("/proc").glob("[0-9]*") if (found := from_proc(entry))]
    columns = ("pid", "pgid", "etime", "rss", "command")
    listing = subprocess.run(
        ["/bin/ps", "-axo", ",".join(f"{name}=" for name in columns)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [dict(zip(columns, line.split(None, 4), strict=False)) for line in listing.splitlines()]


def from_proc(entry: Path) -> dict[str, str] | None:
    """One process from /proc (minimal images have no ps), or None when it has just gone or is a zombie."""
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    minutes, seconds = divmod(int(age), 60)
    return {
        "pid": entry.name,
        "pgid": fields[2],
        "etime": f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}",
        "rss": str(int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024),
        "command": command,
    }


def group() -> list[dict[str, str]]:
    """The processes of the Bloop that PID_FILE names; empty when it is not running.

    The leader must be a `serve`: after a crash or a restart of the machine the number may be another's.
    """
    try:
        pid = PID_FILE.read_text().strip()
    except OSError:
        return []
    mine = [process for process in processes() if process["pgid"] == pid]
    leads = any(process["pid"] == pid and "manage.py serve" in process["command"] for process in mine)
    return mine if leads else []


def address(options: list[str]) -> str:
    """Where this Bloop answers: its options, else its configuration."""
    if "--port" in options:
        return f"http://localhost:{options[options.index('--port') + 1]}"
    from bloop_site import env  # noqa: PLC0415  only when the configuration is needed

    return f"http://localhost:{env.load().server.port}"


def health(url: str) -> str | None:
    """What /health says, in one line; None when nobody answers."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310  our own address
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except OSError:
        return None
    try:
        return ", ".join(f"{name} {value}" for name, value in json.loads(body).items())
    except (ValueError, AttributeError):
        return body[:200].decode(errors="replace")


def start(options: list[str]) -> int:
    if group():
        print(f"Bloop runs already (pid {PID_FILE.read_text().strip()}). See 'make ps', 'make stop'.")
        return 0
    url = address(options)
    if health(url) is not None:
        print(f"Something else answers at {url}: stop it, or choose another port with PORT=...", file=sys.stderr)
        return 1
    PID_FILE.parent.mkdir(exist_ok=True)
    with LOG_FILE.open("ab") as log:
        seen = log.tell()
        server = subprocess.Popen(
            [sys.executable, "manage.py", "serve", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    PID_FILE.write_text(f"{server.pid}\n")
    deadline = time.monotonic() + START_SECONDS
    while health(url) is None:
        if server.poll() is not None or time.monotonic() > deadline:
            print(log_since(seen), end="", file=sys.stderr)
            print("Bloop did not start; the reason should stand above, and in data/bloop.log.", file=sys.stderr)
            return 1 if server.poll() is not None else stop() or 1
        time.sleep(0.1)
    print(log_since(seen), end="")
    print(f"Bloop runs in the background at {url}. See 'make logs', 'make ps', 'make stop'.")
    return 0


def log_since(position: int) -> str:
    with LOG_FILE.open("rb") as log:
        log.seek(position)
        return log.read().decode(errors="replace")


def ps() -> int:
    mine = group()
    if not mine:
        print("Bloop is not running in the background. Start it with 'make up'.")
        return 0
    leader = next(process for process in mine if process["pid"] == process["pgid"])
    url = address(leader["command"].split())
    print(f"{url}: {health(url) or 'no answer from /health'}")
    print(f"{'PID':>8} {'AGE':>10} {'MB':>6}  COMMAND")
    for process in sorted(mine, key=lambda process: int(process["pid"])):
        words = process["command"][:90]
        print(f"{process['pid']:>8} {process['etime']:>10} {int(process['rss']) // 1024:>6}  {words}")
    return 0


def stop() -> int:
    """Ask `serve` to flush and stop with its children; end what is left of its group after a while."""
    mine = group()
    if not mine:
        print("Bloop is not running in the background.")
        PID_FILE.unlink(missing_ok=True)
        return 0
    pid = int(mine[0]["pgid"])
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(process["pgid"] == str(pid) for process in processes()):
        if time.monotonic() > deadline:
            print("It did not stop in time and is ended now; what was accepted is on disk.", file=sys.stderr)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            break
        time.sleep(0.1)
    PID_FILE.unlink(missing_ok=True)
    print("Bloop has stopped.")
    return 0


def main(words: list[str]) -> int:
    match words:
        case ["start", *options]:
            return start(options)
        case ["ps"]:
            return ps()
        case ["stop"]:
            return stop()
    sys.exit((__doc__ or "").strip())


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
