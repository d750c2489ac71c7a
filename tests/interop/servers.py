"""Servers that the tests start: each on a free port, stopped with the test, and each must leave
without a finding of a sanitizer or valgrind and with status 0."""

import json
import os
import re
import signal
import subprocess
import threading
import time

BUILD = os.environ.get("SALLYPORT_BUILD", os.path.join(os.getcwd(), "build", "release"))
# A prefix for the servers' command lines, such as "valgrind --error-exitcode=99 -q".
WRAPPER = os.environ.get("SALLYPORT_WRAPPER", "").split()
# How long to wait for something that must happen. No test depends on how fast it does.
PATIENCE = float(os.environ.get("SALLYPORT_PATIENCE", "60"))
FINDINGS = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehavior|runtime error:"
    r"|ERROR SUMMARY: [1-9]|Invalid (read|write)|definitely lost: [1-9]"
)


def wait_until(holds, why=lambda: "never", seconds=None):
    """Asks holds() again and again until it gives something true, which is returned: for what nobody
    tells. `why` makes the words of the failure."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    while not (found := holds()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.01)
    return found


def built(*path):
    return os.path.join(BUILD, *path)


class Lines:
    """Reads a stream line by line in a thread; others wait for a line that they want."""

    def __init__(self, stream, parse=lambda line: line):
        self.items = []
        self.ended = False
        self.condition = threading.Condition()
        self.stream = stream
        self.parse = parse
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.stream:
            item = self.parse(line.rstrip("\n"))
            with self.condition:
                self.items.append(item)
                self.condition.notify_all()
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    def wait(self, wanted, timeout=None, start=0):
        """The first item from `start` on for which wanted(item) is true."""
        deadline = time.monotonic() + (timeout or PATIENCE)
        with self.condition:
            at = start
            while True:
                while at < len(self.items):
                    if wanted(self.items[at]):
                        return self.items[at]
                    at += 1
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    tail = "\n".join(str(i) for i in self.items[-30:])
                    raise AssertionError(f"never seen (ended: {self.ended}); last lines:\n{tail}")
                self.condition.wait(left)


class Program:
    """A program with standard output and error read by threads."""

    parse = staticmethod(lambda line: line)

    def __init__(self, arguments, env=None, cwd=None, wrap=True):
        environment = dict(os.environ)
        environment.update(env or {})
        self.arguments = arguments
        self.process = subprocess.Popen(
            (WRAPPER if wrap else []) + arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            cwd=cwd,
        )
        self.out = Lines(self.process.stdout, self.parse)
        self.err = Lines(self.process.stderr)

    @property
    def pid(self):
        return self.process.pid

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def finish(self, stop):
        """Ends the program by `stop` and returns its exit code."""
        try:
            stop()
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.arguments[0]} did not stop") from None
        finally:
            self.err.thread.join(PATIENCE)
            self.out.thread.join(PATIENCE)
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        errors = "\n".join(self.err.items)
        assert not FINDINGS.search(errors), errors
        return code


def parse_json(line):
    try:
        return json.loads(line)
    except ValueError:
        return {"event": "text", "text": line}


class ContractServer(Program):
    parse = staticmethod(parse_json)

    def __init__(self, *options, host_keys=(), authorized=None):
        arguments = [built("tools", "contract_server")]
        for key in host_keys:
            arguments += ["--host-key", str(key)]
        if authorized:
            arguments += ["--authorized", str(authorized)]
        super().__init__(arguments + [str(o) for o in options])
        self.port = self.wait("listening")["port"]
        self.stopped = False

    def wait(self, name, timeout=None, start=0, **fields):
        """The first event of that name whose fields have these values."""

        def wanted(event):
            return event.get("event") == name and all(event.get(k) == v for k, v in fields.items())

        try:
            return self.out.wait(wanted, timeout, start)
        except AssertionError as error:
            raise AssertionError(f"event {name} {fields}: {error}") from None

    def seen(self, name, **fields):
        """All such events up to now."""
        if not self.stopped and self.process.poll() is None:
            self.order("nothing")  # what happened before this is in the list when it is obeyed
        with self.out.condition:
            items = list(self.out.items)
        return [
            e
            for e in items
            if e.get("event") == name and all(e.get(k) == v for k, v in fields.items())
        ]

    def seen_all(self):
        """Every event up to now."""
        self.order("nothing")
        with self.out.condition:
            return list(self.out.items)

    def mark(self):
        with self.out.condition:
            return len(self.out.items)

    def order(self, text):
        """Gives an order and waits until it was obeyed."""
        start = self.mark()
        self.tell(text)
        return self.wait("obeyed", start=start, order=text)

    def stats(self):
        start = self.mark()
        self.order("stats")
        return self.wait("stats", start=start)

    def close(self):
        if self.stopped:
            return
        self.stopped = True
        code = self.finish(self.process.stdin.close)
        assert code == 0, f"contract_server ended with {code}: " + "\n".join(self.err.items[-20:])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.close()
        except AssertionError:
            if kind is None:
                raise


class Sallyportd(Program):
    """sallyportd in the foreground, with a home of its own."""

    def __init__(self, home, *options, env=None):
        self.home = home
        environment = {
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
        }
        environment.update(env or {})
        super().__init__(
            [built("sallyportd"), "-D", "-e", "-p", "0"] + [str(o) for o in options],
            env=environment,
        )
        self.stopped = False

        def address(line):
            return re.search(r"listening on \S+ port (\d+)", line)

        line = self.err.wait(address)
        self.port = int(address(line).group(1))

    def close(self):
        if self.stopped:
            return
        self.stopped = True
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        assert code in (0, -signal.SIGTERM), f"sallyportd ended with {code}"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.close()
        except AssertionError:
            if kind is None:
                raise


class Example(Program):
    """One of examples/: prints "listening on 127.0.0.1:PORT"."""

    def __init__(self, name, *arguments):
        super().__init__([built("examples", name), "0"] + list(arguments))
        line = self.out.wait(lambda text: text.startswith("listening on "))
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        if kind is None:
            assert code == 0, f"{self.arguments[0]} ended with {code}"


class Relay(Program):
    parse = staticmethod(parse_json)

    def __init__(self, port, delay):
        super().__init__([built("tools", "delay_relay"), str(port), str(delay)], wrap=False)
        self.port = self.out.wait(lambda e: e.get("event") == "listening")["port"]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.finish(self.process.stdin.close)
