"""Pseudo-terminals: to answer a client's prompts, and to use its interactive shell."""

import errno
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import threading
import time

from servers import PATIENCE


def become_controlling(fd):
    def prepare():
        os.setsid()
        fcntl.ioctl(fd, termios.TIOCSCTTY, 0)

    return prepare


def set_size(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Prompter:
    """Answers prompts that a client writes to its controlling terminal. A prompt is a text without a
    newline behind it that ends with a colon and a space."""

    PROMPT = re.compile(r"[:?] ?\Z")

    def __init__(self, answers):
        self.answers = list(answers)
        self.master, self.slave = os.openpty()
        self.text = ""
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def _run(self):
        seen = 0
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                break
            if not piece:
                break
            self.text += piece.decode(errors="replace")
            line = self.text[seen:].replace("\r", "\n").rsplit("\n", 1)[-1]
            if self.PROMPT.search(line) and line.strip():
                seen = len(self.text)
                answer = self.answers.pop(0) if self.answers else ""
                try:
                    os.write(self.master, answer.encode() + b"\n")
                except OSError:
                    break

    def close(self):
        """After the client's end. Until then we hold the terminal's end too: ssh closes what it gets."""
        os.close(self.slave)
        self.thread.join(PATIENCE)
        os.close(self.master)


class Terminal:
    """A program whose standard streams are a terminal that we hold the other end of."""

    def __init__(self, arguments, env=None, columns=80, rows=24):
        environment = dict(os.environ)
        environment.update(env or {})
        environment["TERM"] = "xterm"
        self.master, slave = os.openpty()
        set_size(self.master, columns, rows)
        self.process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            preexec_fn=become_controlling(slave),
            close_fds=True,
        )
        os.close(slave)
        self.text = ""
        self.at = 0

    def send(self, text):
        os.write(self.master, text.encode())

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.master], [], [], left)[0]:
            raise AssertionError(f"timed out; the terminal shows:\n{self.text}")
        try:
            piece = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            piece = b""
        self.text += piece.decode(errors="replace")
        return bool(piece)

    def expect(self, pattern):
        """Waits until the output from here on matches, and moves behind the match."""
        deadline = time.monotonic() + PATIENCE
        while True:
            match = re.compile(pattern).search(self.text, self.at)
            if match:
                self.at = match.end()
                return match
            if not self._read(deadline):
                raise AssertionError(f"{pattern!r} never came; the terminal shows:\n{self.text}")

    def resize(self, columns, rows):
        set_size(self.master, columns, rows)  # the kernel sends SIGWINCH

    def wait(self):
        """Reads to the end and returns the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
