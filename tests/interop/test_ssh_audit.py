"""ssh-audit finds nothing to complain of in the default settings, and docs/ssh-audit.txt is what it
prints. SALLYPORT_UPDATE=1 writes that page anew."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sallyportd_tools import *  # fixtures come by their names, too

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ssh-audit.txt"
# Newer than Debian's ssh-audit 2.5, which calls them unknown, or experimental; its later versions
# know them all.
NEWER = ("mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
         "kex-strict-s-v00@openssh.com")

pytestmark = pytest.mark.skipif(not shutil.which("ssh-audit"), reason="no ssh-audit")


def audit(server):
    run = subprocess.run(["ssh-audit", "--no-colors", "-p", str(server.port), "127.0.0.1"], text=True,
                         capture_output=True, timeout=120)
    return run.stdout


def complaints(text):
    """Lines with a failure or a warning, of those algorithms that ssh-audit knows."""
    found, name = [], ""
    for line in text.splitlines():
        match = re.match(r"\((?:kex|key|enc|mac)\) (\S+)", line)
        name = match.group(1) if match else name if line.startswith(" ") else ""
        newer = name in NEWER and re.search("unknown algorithm|experimental algorithm", line)
        if re.search(r"\[(fail|warn)\]", line) and not newer:
            found.append(line)
    return found


def page_of(text):
    """Without what differs from run to run: ports, versions, fingerprints."""
    lines = []
    for line in text.splitlines():
        if line.startswith("(gen) banner"):
            line = re.sub(r"Sallyport_\S+", "Sallyport", line)
        if line.startswith(("(gen) target", "# ssh-audit")) or line.startswith("(fin)"):
            continue
        lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"


@pytest.fixture
def report(serve):
    """With all the host keys that the program makes itself."""
    return audit(serve(own_host_keys=True))


def test_no_complaints(report):
    assert "(kex) curve25519-sha256" in report and "(mac)" in report, report
    assert complaints(report) == []


def test_page(report):
    if os.environ.get("SALLYPORT_UPDATE"):
        PAGE.write_text(page_of(report))
    assert PAGE.read_text() == page_of(report)


def test_complaints_are_seen(serve):
    """The test of the test: the compatible preset has what ssh-audit does not like."""
    found = complaints(audit(serve("AlgorithmPreset compatible", own_host_keys=True)))
    assert any("weak elliptic curves" in line for line in found)
    assert any("encrypt-and-MAC" in line for line in found)
