"""A headless Chromium, driven over ChromeDriver by the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync", "--disable-extensions"),
    *("--no-first-run", "--no-default-browser-check", "--disable-dev-shm-usage", "--force-device-scale-factor=1"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars=false"),
)
_CHROMIUMS: Final = ("chromium", "chromium-browser", "google-chrome")
_START_WITHIN: Final = 30.0
KEYS: Final = {
    "Escape": "\ue00c",
    "Enter": "\ue007",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
}


def missing() -> str:
    """Why there is no browser to drive; `""` where there is one."""
    chromium = any(map(shutil.which, _CHROMIUMS))
    found = {"Chromium": chromium, "chromedriver": shutil.which("chromedriver")}
    absent = [name for name, path in found.items() if not path]
    return f"{' and '.join(absent)} not installed (Debian: chromium, chromium-driver)" if absent else ""


class Browser:
    """One window."""

    def __init__(self, driver: str, session: str) -> None:
        self._driver = driver
        self._path = f"/session/{session}"

    def _do(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return asked(self._driver, method, f"{self._path}{path}", body)

    def open(self, file: Path, hash: str = "") -> None:
        """Load a file anew."""
        self._do("POST", "/url", {"url": "about:blank"})
        self.log("performance")
        self._do("POST", "/url", {"url": f"{file.as_uri()}{hash}"})

    def run(self, script: str, *args: Any) -> Any:
        """What the body of a function returns; what is a promise is waited for."""
        return self._do("POST", "/execute/sync", {"script": script, "args": args})

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, on what has the focus."""
        values = [KEYS.get(key, key) for key in keys]
        actions = [{"type": each, "value": value} for value in values for each in ("keyDown", "keyUp")]
        self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def size(self, width: int, height: int) -> None:
        self._do("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        })  # fmt: skip

    def prefer(self, scheme: str) -> None:
        """Prefer the colour scheme ``light`` or ``dark``, as the system would."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._do("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}})

    def scripts(self, *, on: bool) -> None:
        """Run the scripts of pages that are opened from now on, or do not; `run` works all the same."""
        self._do(
            "POST", "/goog/cdp/execute", {"cmd": "Emulation.setScriptExecutionDisabled", "params": {"value": not on}}
        )

    def log(self, kind: str) -> list[Any]:
        """What was logged since the last look: ``browser`` (the console) or ``performance`` (the network)."""
        return list(self._do("POST", "/se/log", {"type": kind}))

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last look, but for those of files and data in the page itself."""
        told = (json.loads(entry["message"])["message"] for entry in self.log("performance"))
        sent = [each["params"]["request"]["url"] for each in told if each["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "about:"))]

    def picture(self) -> bytes:
        return base64.b64decode(self._do("GET", "/screenshot"))


def asked(driver: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The value of a command's answer.

    Raises:
        AssertionError: the browser says that it failed.
    """
    data = json.dumps(body or {}).encode() if method == "POST" else None
    request = urllib.request.Request(f"{driver}{path}", data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from None


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser whose profile is in this folder."""
    log = folder / "chromedriver.log"
    environment = {**os.environ, "HOME": str(folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(["chromedriver", "--port=0"], stdout=output, stderr=output, env=environment)
    try:
        driver = f"http://127.0.0.1:{_port(log)}"
        chrome = {
            "args": [*FLAGS, f"--user-data-dir={folder / 'profile'}"],
            "perfLoggingPrefs": {"enableNetwork": True},
        }
        if binary := next(filter(None, map(shutil.which, _CHROMIUMS)), None):
            chrome["binary"] = binary
        wanted = {"goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        session = asked(driver, "POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        try:
            yield Browser(driver, session)
        finally:
            asked(driver, "DELETE", f"/session/{session}")
    finally:
        process.terminate()
        process.wait()


def _port(log: Path) -> int:
    """The port that ChromeDriver says it listens on."""
    limit = time.monotonic() + _START_WITHIN
    while time.monotonic() < limit:
        words = log.read_text().split("started successfully on port ")
        if len(words) == 2 and words[1].strip(". \n").isdigit():
            return int(words[1].strip(". \n"))
        time.sleep(0.02)
    raise AssertionError(f"ChromeDriver has not started within {_START_WITHIN:g} s: {log.read_text()}")
