"""Processes that are ended when the command is: each by its own id, and with what it started itself."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
GRACE: Final = 15.0
"""Seconds that an interrupted process has to write what it knows, before it is killed."""


class Stopped(Exception):
    """The command is being ended; nothing new is started."""


class TimeLimit(Exception):
    """A process took longer than it may."""


class Children:
    """Starts processes and waits for them, from several threads."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def run(
        self, command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str], limit: float | None = None
    ) -> int:
        """Run a command to its end; what it prints is added to `log`. Gives its exit status.

        Raises:
            TimeLimit: it took longer than `limit` seconds; it was interrupted, and has ended.
            Stopped: `stop` was called.
            OSError: it cannot be started.
        """
        with log.open("ab") as output:
            output.write(f"$ {' '.join(command)}\n".encode())
            output.flush()
            child = self._start(command, output.fileno(), cwd, env)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            _end_all([child])
            raise TimeLimit from None
        finally:
            with self._lock:
                self._running.discard(child)
        if self.stopping:
            raise Stopped
        return status

    def _start(
        self, command: Sequence[str], output: int, cwd: Path, env: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self.stopping:
                raise Stopped
            child = subprocess.Popen(  # noqa: S603 - the list says what is run, and its user wrote or chose it
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # In a group of its own: an interrupt at the terminal is for this process, which ends its children.
                start_new_session=True,
            )
            self._running.add(child)
        return child

    def stop(self) -> None:
        """End all that runs, and start nothing more."""
        self._stopping.set()
        with self._lock:
            running = list(self._running)
        _end_all(running)


def _end_all(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Interrupt processes, and kill those that go on for too long."""
    for child in children:
        _signal(child, signal.SIGINT)
    until = time.monotonic() + GRACE
    for child in children:
        try:
            child.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal(child, _KILL)
            child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    """Tell a process and those that it started."""
    if child.poll() is not None:
        return
    if not hasattr(os, "killpg"):
        child.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)
