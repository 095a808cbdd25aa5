"""A headless Firefox, driven by its own protocol (Marionette): a page, and scripts in it."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
START = 120  # seconds
SCRIPT = 300_000  # milliseconds that a script may take
PREFERENCES = {
    "marionette.port": 0,  # a free one, which is told by a file in the profile
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "network.captive-portal-service.enabled": False,
}


class Firefox:
    """A connection: requests are [0, id, command, parameters], answers [1, id, error, result]."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=SCRIPT / 1000)
        self.stream = self.connection.makefile("rb")
        self.count = 0
        self._receive()  # it greets
        self.ask("WebDriver:NewSession", {})
        self.ask("WebDriver:SetTimeouts", {"script": SCRIPT})

    def _receive(self) -> Any:
        size = b""
        while not size.endswith(b":"):
            byte = self.stream.read(1)
            assert byte, "Firefox has ended"
            size += byte
        return json.loads(self.stream.read(int(size[:-1])))

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """What Firefox answers to a command."""
        self.count += 1
        message = json.dumps([0, self.count, command, parameters]).encode()
        self.connection.sendall(f"{len(message)}:".encode() + message)
        _, _, error, result = self._receive()
        assert error is None, error
        return result

    def goto(self, url: str) -> None:
        """Open a page."""
        self.ask("WebDriver:Navigate", {"url": url})

    def evaluate(self, function: str, argument: Any) -> Any:
        """Call an asynchronous function of the page, as Playwright's `evaluate` does."""
        script = f"""const done = arguments[arguments.length - 1];
          ({function})(arguments[0]).then((value) => done({{ value }}),
            (error) => done({{ error: String(error) }}));"""
        asked = {"script": script, "args": [argument], "sandbox": None}
        told = self.ask("WebDriver:ExecuteAsyncScript", asked)["value"]
        assert "error" not in told, told["error"]
        return told["value"]


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """A Firefox with an empty profile in this folder."""
    assert FIREFOX is not None
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [FIREFOX, "--headless", "--no-remote", "--marionette", "--profile", str(profile)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = profile / "MarionetteActivePort"
        end = time.monotonic() + START
        while not (told.exists() and told.read_text().strip()):
            assert time.monotonic() < end, "Firefox does not start"
            assert process.poll() is None, "Firefox has ended"
            time.sleep(0.1)
        found = Firefox(int(told.read_text()))
        yield found
        found.stream.close()
        found.connection.close()
    finally:
        process.terminate()
        process.wait(60)
