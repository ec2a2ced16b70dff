"""A server node that is started, killed and started again on the same data."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time


class StartFailed(Exception):
    """The server did not become ready; the text says why, with the end of its log."""


class Server:
    READY_SECONDS = 30.0

    def __init__(self, program: str, state: pathlib.Path, data: pathlib.Path, extra: list[str]):
        self._program = program
        self._state = state
        self._data = data
        self._extra = extra
        self._log_path = state / "server.log"
        self._process: subprocess.Popen | None = None
        self.port = 0
        self.starts = 0
        self._make_identity()

    def _make_identity(self):
        authority, identity = self._state / "ca", self._state / "identity"
        for arguments in (
            ["identity", "ca", "--dir", str(authority)],
            ["identity", "server", "localhost", "--ca", str(authority), "--out", str(identity)],
        ):
            subprocess.run([self._program, *arguments], check=True, stdout=subprocess.DEVNULL)

    def start(self, under: list[str] | None = None):
        """Returns at once; the process may not be ready, or already have failed. `under` is a
        command that runs it."""
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen(
                [*(under or []), self._program, "server", "--identity", str(self._state / "identity"),
                 "--data", str(self._data), "--listen", "127.0.0.1:0",
                 "--rest", f"127.0.0.1:{self.port}", *self._extra],
                stdout=subprocess.PIPE, stderr=log)
        self.starts += 1

    def queue_files(self, number: int) -> list[pathlib.Path]:
        """What RocksDB calls its files of that number."""
        names = (f"{number:06}.log", f"{number:06}.sst", f"{number:06}.dbtmp", f"MANIFEST-{number:06}", "CURRENT")
        return [self._data / "queue" / "messages" / name for name in names]

    def wait_until_ready(self):
        """The first line on standard output says that it is up, and where."""
        output = self._process.stdout.fileno()
        os.set_blocking(output, False)
        deadline = time.monotonic() + self.READY_SECONDS
        line = b""
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                line += os.read(output, 4096)
            ready = re.search(rb"ready: .*rest=127\.0\.0\.1:(\d+)", line)
            if ready:
                self.port = int(ready.group(1))
                return
            if self._process.poll() is not None:
                raise StartFailed(f"the server ended with {self._process.returncode}\n{self._log_end()}")
            time.sleep(0.002)
        raise StartFailed(f"the server was not ready within {self.READY_SECONDS} s\n{self._log_end()}")

    def halt(self):
        """No thread runs program code any more; one that waits for the disk may still do so."""
        self._process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + self.READY_SECONDS
        while self._process.poll() is None and not self._is_halted():
            if time.monotonic() > deadline:
                raise StartFailed(f"the server did not stop running within {self.READY_SECONDS} s of SIGSTOP")
            time.sleep(0.001)

    def _is_halted(self) -> bool:
        """Each thread is stopped, in an uninterruptible wait, or has ended."""
        for stat in pathlib.Path(f"/proc/{self._process.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):  # the thread ended
                if stat.read_text().rpartition(")")[2].split()[0] not in "TtDZX":
                    return False
        return True

    def kill(self):
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        self._process.send_signal(number)
        code = self._process.wait(timeout=self.READY_SECONDS)
        self._process.stdout.close()
        return code

    def _log_end(self) -> str:
        return "\n".join(self._log_path.read_text(errors="replace").splitlines()[-10:])
