"""The command line, report and terminal of the clients in Python; tests/tools/client_options.h says
what they mean."""

import argparse
import json
import os
import termios
import tty


def parse(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="user")
    for name in (
        "key password new-password kex host-key cipher mac compression env subsystem report"
    ).split():
        parser.add_argument("--" + name)
    parser.add_argument("--kbdint", action="append", default=[])
    parser.add_argument("--rekey-bytes", type=int)
    parser.add_argument("--keepalive", type=int)
    parser.add_argument("--none", action="store_true")
    parser.add_argument("--pty", action="store_true")
    parser.add_argument("command", nargs="?")
    return parser.parse_args(arguments)


def write_report(options, report):
    if options.report:
        with open(options.report, "w", encoding="utf-8") as file:
            json.dump(report, file)


class RawTerminal:
    """Puts our terminal into raw mode for a while, if there is one and it is wanted."""

    def __init__(self, wanted):
        self.saved = None
        self.wanted = wanted and os.isatty(0)

    def size(self):
        try:
            size = os.get_terminal_size(0)
            return size.columns, size.lines
        except OSError:
            return 80, 24

    def __enter__(self):
        if self.wanted:
            self.saved = termios.tcgetattr(0)
            tty.setraw(0, termios.TCSANOW)
        return self

    def __exit__(self, *unused):
        if self.saved:
            termios.tcsetattr(0, termios.TCSANOW, self.saved)
