#!/usr/bin/python3
"""The check of the handler contract must find each kind of offence: small lists with one each."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import check  # noqa: E402

GOOD = """
# a comment
[Section] default later
> a note
row
  default  unit/server_options::backlog
  later  - it can't
"""
ROW = "[Section]\nrow\n"
BAD = [
    ("lacks the form later", "[Section] default later\nrow\n  default  unit/server_options::backlog\n"),
    ("no such file", ROW + "  default  unit/nothing::backlog\n"),
    ("no such file", ROW + "  default  test_nothing.py::test_x\n"),
    ("no such test", ROW + "  default  unit/server_options::nothing\n"),
    ("no such test", ROW + "  default  test_auth.py::test_nothing\n"),
    ("no such test", ROW + "  default  test_auth.py::connect\n"),
    ("no such parameter: never",
     ROW + "  default  test_auth.py::test_auth_begin_auth_later[never]\n"),
    ("no such parameter: never", ROW + "  default  test_sessions.py::test_request_accept[never]\n"),
    ("has no test", ROW + "  default\n"),
    ("has no test", ROW + "  default  pending\n"),
    ("no reason is given", ROW + "  default  -\n"),
    ("not understood", ROW + "  default  unit/server_options::backlog and more\n"),
    ("has default twice", ROW + "  default  unit/server_options::backlog\n" * 2),
    ("has no form", ROW),
    ("is there twice", ROW + "  default  unit/server_options::backlog\n" + ROW[10:]),
]
FINE = [
    "  default  test_auth.py::test_auth_begin_auth_later[thread]\n",
    "  default  test_sessions.py::test_request_later[pty_requested, work]\n",
    "  default  test_forwarding.py::test_connection_requested_default[unix]\n",
    "  default  pending test_to_come.py::test_x\n",
    "  default  pending - something\n",
]


def offences(text):
    return list(check.check_rows(check.parse(text), check.Tests()))


def main():
    failed = [f"found in a good list: {o}" for o in offences(GOOD)]
    failed += [f"found in {fine.strip()}: {o}" for fine in FINE for o in offences(ROW + fine)]
    for wanted, text in BAD:
        if not any(wanted in offence for offence in offences(text)):
            failed.append(f"not found: {wanted} in {text!r}, but {offences(text)}")
    if not any("has no row" in o for o in check.check_headers(check.parse(GOOD))):
        failed.append("not found: handlers without a row")
    settled = ROW + "  default  pending unit/server_options::backlog\n"
    settled = check.settle(settled, check.parse(settled), check.Tests())
    if settled != ROW + "  default  unit/server_options::backlog\n":
        failed.append(f"not settled: {settled}")
    print("\n".join(failed) if failed else "handlers: each offence is found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
