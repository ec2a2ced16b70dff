"""A small ext4 file system whose power can be cut."""

import fcntl
import os
import pathlib
import struct
import subprocess

# From the kernel's include/uapi/linux/ext4.h: stops the file system at once, without writing back
# what it holds in memory or in an open transaction of its journal.
EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2


class NotAvailable(Exception):
    """This machine does not let us mount; the text says what failed."""


class Disk:
    MIB = 512

    def __init__(self, state: pathlib.Path):
        self._image = state / "disk.img"
        self.path = state / "disk"
        self.path.mkdir()
        with open(self._image, "wb") as image:
            image.truncate(self.MIB << 20)
        self._run("mkfs.ext4", "-q", str(self._image))
        self._mount()
        self._prove()

    def _prove(self):
        """A cut that loses nothing would prove nothing."""
        synced, unsynced = self.path / "synced", self.path / "unsynced"
        for file in (synced, unsynced):
            file.write_text("text")
            if file is synced:
                os.sync()
        self.cut_power()
        self.power_on()
        if unsynced.exists() or not synced.exists():
            raise NotAvailable("a power cut does not lose exactly what was not synced")
        synced.unlink()

    def _run(self, *command: str):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotAvailable(f"{' '.join(command)}: {getattr(error, 'stderr', '') or error}") from error

    def _mount(self):
        self._run("mount", "-o", "loop", str(self._image), str(self.path))

    def cut_power(self):
        """From now on everything fails; what was not synced is gone."""
        root = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(root)

    def power_on(self):
        """Mounts it again; whoever had files open there must have ended."""
        self._run("umount", str(self.path))
        self._mount()

    def close(self):
        subprocess.run(["umount", str(self.path)], check=False, capture_output=True)
