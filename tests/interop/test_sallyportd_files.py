"""File transfer that sallyportd serves itself: SFTP and scp with real clients; ForceCommand,
ChrootDirectory, read-only, umask, quota and internal-sftp's flags, in the configuration, in Match
blocks and in keys; the lines in the log, which never call a part of a file complete."""

import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import time

import pytest

from sallyportd_tools import *  # fixtures come by their names, too
from test_sallyportd_keys import keys, start  # noqa: F401 (fixtures)

pytestmark = needs_ssh
PORT = r"port \d+"
SIZE = 700_001


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program}")


class Site:
    """A server, a folder on it, a folder of ours, and clients."""

    def __init__(self, server, keys, folder):
        self.server = server
        self.keys = keys
        self.there = folder / "there"
        self.here = folder / "here"
        for path in (self.there, self.here):
            path.mkdir(exist_ok=True)
        words = shlex.split(server.command)
        self.target = words[-1]
        self.options = ["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o",
                        words[words.index("-o") + 1], "-i", str(keys.key())]

    def run(self, words, given="", **extra):
        return subprocess.run([*map(str, words)], text=True, input=given, capture_output=True,
                              timeout=120, cwd=self.here, **extra)

    def sftp(self, *orders, more=()):
        return self.run(["sftp", "-q", "-b", "-", *self.options, "-P", self.server.port, *more,
                         self.target], "\n".join(orders) + "\n")

    def scp(self, source, target, *more, old=True):
        """A path that begins with : is the server's."""
        paths = [self.target + str(p) if str(p).startswith(":") else str(p)
                 for p in (source, target)]
        return self.run(["scp", "-q", *(["-O"] if old else []), *self.options, "-P",
                         self.server.port, *more, *paths])

    def file(self, name="file", size=SIZE):
        path = self.here / name
        path.write_bytes(os.urandom(size))
        return path

    def lines(self, kind="sftp"):
        """The log's lines of such sessions, without what stands before."""
        found = re.findall(rf"^(?:debug: )?{kind} {USER} from 127\.0\.0\.1 {PORT}: (.*)$",
                           self.server.err.read_text(), re.M)
        return [re.sub(r"in \d+\.\d{3} seconds", "in S seconds", line) for line in found]

    def closed(self, kind="sftp", status=0):
        """All lines of the one session, when it has ended."""
        self.server.log(rf"^{kind} {USER} from 127\.0\.0\.1 {PORT}: session closed, status {status}$")
        return self.lines(kind)


@pytest.fixture
def site(start, keys, tmp_path):  # noqa: F811
    def run(*lines, key_options="", **more):
        keys.allow(key_options)
        return Site(start(*lines, **more), keys, tmp_path)
    return run


# ---- the words ----------------------------------------------------------------------------------

WORDS = ["Subsystem sftp internal-sftp -R -l VERBOSE", "ForceCommand internal-sftp -d /x%u -u 077",
         "ChrootDirectory %h/files", "InternalScp no", "TransferReadOnly yes", "TransferUmask 027",
         "TransferQuota 10M"]
PRINTED = {"subsystem": "sftp internal-sftp -R -l VERBOSE",
           "forcecommand": "internal-sftp -d /x%u -u 077", "chrootdirectory": "%h/files",
           "internalscp": "no", "transferreadonly": "yes", "transferumask": "027",
           "transferquota": "10485760"}


def test_printed(call):
    run = call("-T", *options(*WORDS))
    assert (run.returncode, run.stderr) == (0, "")
    found = settings(run.stdout)
    assert {word: found[word] for word in PRINTED} == {w: [v] for w, v in PRINTED.items()}
    again = call("-T", *options(*run.stdout.splitlines()))
    assert (again.stdout, again.stderr) == (run.stdout, "")


def test_printed_defaults(call):
    found = settings(call("-T").stdout)
    assert found["subsystem"] == ["sftp internal-sftp"]
    assert [found[word] for word in ("internalscp", "transferreadonly", "transferumask",
                                     "transferquota", "chrootdirectory")] == [
        ["yes"], ["no"], ["none"], ["none"], ["none"]]


def test_printed_for_a_connection(call, tmp_path):
    path = tmp_path / "config"
    inside = "\n".join(line for line in WORDS if not line.startswith("Subsystem"))
    path.write_text(f"{WORDS[0]}\nMatch address 10.0.0.0/8\n{inside}\n")
    assert settings(call("-T", "-f", path).stdout)["internalscp"] == ["yes"]
    found = settings(call("-T", "-f", path, "-C", "user=x,addr=10.1.1.1").stdout)
    assert {word: found[word] for word in PRINTED} == {w: [v] for w, v in PRINTED.items()}


@needs_sshd
def test_printed_as_sshd_does(call, host_key, tmp_path):
    path = tmp_path / "config"
    path.write_text("\n".join(WORDS[:3]) + f"\nHostKey {host_key}\n")
    theirs = settings(run_sshd("-T", "-f", str(path)).stdout)
    ours = settings(call("-T", "-f", path).stdout)
    for word in ("subsystem", "forcecommand", "chrootdirectory"):
        assert ours[word] == theirs[word]


@pytest.mark.parametrize("text, line, said", [
    ("Subsystem sftp internal-sftp -Z\n", 1, "Subsystem: internal-sftp: unknown flag -Z"),
    ("\nForceCommand internal-sftp -u\n", 2, "ForceCommand: internal-sftp: -u needs a value"),
    ("ForceCommand internal-sftp -u 1000\n", 1, "invalid umask '1000'"),
    ("ForceCommand internal-sftp -u 8\n", 1, "invalid umask '8'"),
    ("ForceCommand internal-sftp -Ru\n", 1, "-u needs a value"),
    ("ForceCommand internal-sftp -l LOUD\n", 1, "there is no log level 'LOUD'"),
    ("ForceCommand internal-sftp -f NEWS\n", 1, "there is no log facility 'NEWS'"),
    ("ForceCommand internal-sftp -P open,opem\n", 1, "there is no request 'opem'"),
    ("ForceCommand internal-sftp -p open,\n", 1, "there is no request ''"),
    ("ForceCommand internal-sftp -d /%x\n", 1, "unknown token in '/%x'"),
    ("ForceCommand internal-sftp -d /%\n", 1, "unknown token in '/%'"),
    ("ForceCommand internal-sftp /srv\n", 1, "extra argument '/srv'"),
    ("Match all\nForceCommand internal-sftp -h\n", 2, "unknown flag -h"),
    ("ChrootDirectory files\n", 1, "ChrootDirectory must be an absolute path or none"),
    ("ChrootDirectory /%d\n", 1, "ChrootDirectory: unknown token in '/%d'"),
    ("TransferUmask 0888\n", 1, "TransferUmask must be an octal number up to 0777 or none"),
    ("TransferUmask 1777\n", 1, "TransferUmask must be"),
    ("TransferQuota 0\n", 1, "TransferQuota must be a size or none"),
    ("TransferQuota 1x\n", 1, "TransferQuota must be a size or none"),
    ("TransferReadOnly maybe\n", 1, "'maybe'"),
    ("InternalScp maybe\n", 1, "'maybe'"),
])
def test_mistakes_name_file_and_line(call, tmp_path, text, line, said):
    path = tmp_path / "config"
    path.write_text(text)
    run = call("-t", "-f", path)
    assert run.returncode == 255
    assert re.search(rf"^{re.escape(str(path))} line {line}: .*{re.escape(said)}", run.stderr, re.M)


@pytest.mark.parametrize("line", [
    "Subsystem=sftp internal-sftp", "Subsystem sftp internal-sftp -e -c # a comment",
    "ForceCommand internal-sftp -R -u 022 -d %d/%u%% -f LOCAL7 -l debug3 -P rename,posix-rename",
    "ForceCommand internal-sftp -Rl INFO -u077 -popen,close,read,write",
    "ForceCommand internal-sftpd -Z", "Subsystem sftp none", "TransferQuota 5k",
])
def test_what_is_right_is_silent(call, line):
    run = call("-t", "-o", line)
    assert (run.returncode, run.stderr) == (0, "")


# ---- SFTP ---------------------------------------------------------------------------------------

def test_sftp_is_there_by_itself(site):
    s = site()
    path = s.file()
    done = s.sftp(f"put {path} {s.there}/a", f"get {s.there}/a b", f"mkdir {s.there}/d",
                  f"chmod 700 {s.there}/d", f"rename {s.there}/a {s.there}/d/a",
                  f"ls {s.there}/d", f"symlink /etc {s.there}/link", f"ln {s.there}/d/a {s.there}/h",
                  f"rm {s.there}/d/a", f"rmdir {s.there}/d", "pwd")
    assert done.returncode == 0, done.stderr
    assert (s.here / "b").read_bytes() == path.read_bytes()
    home = os.path.expanduser("~")
    assert f"Remote working directory: {home}" in done.stdout
    t = s.there
    assert s.closed() == [
        "session opened",
        f'open "{t}/a" flags WRITE,CREATE,TRUNCATE mode 0644',
        f'close "{t}/a" bytes read 0 written {SIZE} in S seconds: closed',
        f'open "{t}/a" flags READ mode 0666',
        f'close "{t}/a" bytes read {SIZE} written 0 in S seconds: complete',
        f'mkdir name "{t}/d" mode 0777',
        f'set "{t}/d" mode 0700',
        f'posix-rename old "{t}/a" new "{t}/d/a"',
        f'opendir "{t}/d/"',
        f'closedir "{t}/d/"',
        f'symlink new "{t}/link" text "/etc"',
        f'hardlink old "{t}/d/a" new "{t}/h"',
        f'remove name "{t}/d/a"',
        f'rmdir name "{t}/d"',
        "session closed, status 0",
    ]


def test_failures_in_the_log(site):
    s = site()
    (s.there / "d").mkdir()
    (s.there / "d" / "x").touch()
    done = s.sftp(f"-rmdir {s.there}/d", f"-rm {s.there}/none", f"-get {s.there}/none")
    assert done.returncode == 0
    assert s.closed()[1:-1] == [f'rmdir name "{s.there}/d": Directory not empty',
                                f'remove name "{s.there}/none": No such file']


def test_log_levels(site):
    s = site("Subsystem sftp internal-sftp -l VERBOSE", "LogLevel ERROR")
    assert s.sftp(f"ls {s.there}").returncode == 0
    found = s.closed()
    assert 'realpath "."' in found and not any(line.startswith("lstat") for line in found)
    s = site("Subsystem sftp internal-sftp -l DEBUG", "LogLevel ERROR")
    assert s.sftp(f"ls -l {s.there}").returncode == 0
    assert any(line.startswith(("lstat", "stat")) for line in s.closed())
    s = site("Subsystem sftp internal-sftp -l ERROR")
    assert s.sftp(f"ls {s.there}").returncode == 0
    s.server.log("Disconnected from user")
    assert s.lines() == []


def test_names_are_made_harmless(site):
    s = site()
    name = 'a" b\\\x1b[31m\xe4\nsftp x: complete'
    (s.there / name).write_text("text")
    done = s.sftp(f"get {s.there}/a* out")
    assert done.returncode == 0, done.stderr
    shown = r'a\" b\\\033[31m\303\244\012sftp x: complete'
    assert f'close "{s.there}/{shown}" bytes read 4 written 0 in S seconds: complete' in s.closed()
    (s.there / name).unlink()
    deep = s.there
    for _ in range(8):
        deep = deep / ("x" * 200)
    deep.mkdir(parents=True)
    assert s.sftp(f"rmdir {deep}").returncode == 0
    line = s.server.log(r': rmdir name ("/.*)$').group(1)
    assert line.endswith('x"...') and 880 < len(line) < 920


def test_subsystem_none(site):
    s = site("Subsystem sftp none")
    assert s.sftp("pwd").returncode != 0
    s.server.log("Subsystem request for sftp failed: there is none of that name")


def test_a_program_serves_as_before(site):
    program = "/usr/lib/openssh/sftp-server"
    if not os.path.exists(program):
        pytest.skip("no sftp-server")
    s = site(f"Subsystem sftp {program}", "TransferReadOnly yes")
    assert s.sftp(f"put {s.file()} {s.there}/a").returncode == 0
    s.server.log("Disconnected from user")
    assert s.lines() == []


@needs("psftp")
@needs("puttygen")
def test_putty(site):
    s = site()
    path = s.file()
    s.run(["puttygen", s.keys.key(), "-O", "private", "-o", "key.ppk"])
    scanned = s.run(["ssh-keyscan", "-p", s.server.port, "127.0.0.1"]).stdout
    (s.here / "scanned").write_text(scanned)
    print_ = s.run(["ssh-keygen", "-lf", "scanned"]).stdout.split()[1]
    common = ["-batch", "-P", s.server.port, "-l", USER, "-i", "key.ppk", "-hostkey", print_]
    environment = dict(os.environ, HOME=str(s.here), PUTTYDIR=str(s.here))
    (s.here / "orders").write_text(f"put {path} {s.there}/a\nget {s.there}/a b\n")
    done = s.run(["psftp", *common, "-b", "orders", "127.0.0.1"], env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (s.here / "b").read_bytes() == path.read_bytes()
    assert f'close "{s.there}/a" bytes read {SIZE} written 0 in S seconds: complete' in s.closed()
    done = s.run(["pscp", "-scp", *common, path, f"127.0.0.1:{s.there}/c"], env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    done = s.run(["pscp", "-scp", *common, f"127.0.0.1:{s.there}/c", "d"], env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (s.here / "d").read_bytes() == path.read_bytes()
    done = s.run(["pscp", "-sftp", *common, f"127.0.0.1:{s.there}/c", "e"], env=environment)
    assert (s.here / "e").read_bytes() == path.read_bytes()
    end = f'close "{s.there}/c" bytes read {SIZE} written 0 in S seconds: complete'
    assert end in s.closed("scp") and end in s.lines()


@needs("lftp")
def test_lftp(site):
    s = site()
    path = s.file()
    program = shlex.join(["ssh", "-a", "-x", *s.options])
    orders = [f'set sftp:connect-program "{program}"', "set cmd:fail-exit yes",
              f"open -u {USER},x sftp://127.0.0.1:{s.server.port}", f"cd {s.there}",
              f"put {path} -o a", "get a -o b", "ls", "bye"]
    done = s.run(["lftp", "-f", "/dev/stdin"], "\n".join(orders) + "\n",
                 env=dict(os.environ, HOME=str(s.here)))
    assert done.returncode == 0, done.stderr
    assert (s.here / "b").read_bytes() == path.read_bytes()
    s.server.log(rf"close .*a\" bytes read {SIZE} written 0 in [\d.]+ seconds: complete")


@needs("sshfs")
def test_sshfs(site):
    s = site()
    point = s.here / "mnt"
    point.mkdir()
    done = s.run(["sshfs", f"{s.target}:{s.there}", point, "-p", s.server.port, "-F", "/dev/null",
                  *s.options[2:-2], "-o", f"IdentityFile={s.keys.key()}"])
    if done.returncode != 0:
        pytest.skip("FUSE can't be used here: " + done.stderr.strip())
    try:
        path = s.file()
        shutil.copy(path, point / "a")
        assert (point / "a").read_bytes() == path.read_bytes()
        (point / "d").mkdir()
        os.replace(point / "a", point / "d" / "b")
    finally:
        s.run([shutil.which("fusermount3") or "fusermount", "-u", point])
    assert (s.there / "d" / "b").read_bytes() == path.read_bytes()
    assert any(line.startswith("close") for line in s.closed())


@needs("rsync")
def test_rsync_is_a_program_of_the_users(site):
    s = site()
    path = s.file()
    done = s.run(["rsync", "-e", shlex.join(["ssh", "-p", str(s.server.port), *s.options]), path,
                  f"{s.target}:{s.there}/"])
    assert done.returncode == 0, done.stderr
    assert (s.there / "file").read_bytes() == path.read_bytes()


# ---- scp ----------------------------------------------------------------------------------------

def test_scp(site):
    s = site()
    path = s.file()
    assert s.scp(path, f":{s.there}/a").returncode == 0
    assert s.closed("scp") == [
        "session opened",
        f'open "{s.there}/a" flags WRITE,CREATE mode 0644',
        f'set "{s.there}/a" size {SIZE}',
        f'close "{s.there}/a" bytes read 0 written {SIZE} in S seconds: complete',
        "session closed, status 0",
    ]
    assert s.scp(f":{s.there}/a", "back").returncode == 0
    assert (s.here / "back").read_bytes() == path.read_bytes()
    s.server.log(rf"close .* bytes read {SIZE} written 0 in [\d.]+ seconds: complete")
    (s.there / "tree" / "one").mkdir(parents=True)
    (s.there / "tree" / "one" / "f").write_text("text")
    assert s.scp(f":{s.there}/tree", "tree", "-rp").returncode == 0
    assert (s.here / "tree" / "one" / "f").read_text() == "text"
    assert s.scp(s.here / "tree", f":{s.there}/tree2", "-r").returncode == 0
    assert (s.there / "tree2" / "one" / "f").read_text() == "text"
    done = s.scp(f":{s.there}/none", "x")
    assert done.returncode == 1 and "No such file or directory" in done.stderr
    assert s.scp(path, f":{s.there}/b", old=False).returncode == 0  # over SFTP
    assert len(s.lines()) > 0


def test_scp_begins_at_home(site, tmp_path):
    s = site()
    listed = s.server.ssh("pwd").stdout.strip()
    name = f"sallyportd-test-{os.getpid()}"
    try:
        assert s.scp(s.file(), f":{name}").returncode == 0
        assert os.path.exists(os.path.join(listed, name))
    finally:
        os.unlink(os.path.join(listed, name))


def test_scp_has_no_shell(site):
    s = site()
    done = s.server.ssh(f"scp -t $(touch {s.there}/x)")
    assert done.returncode == 1
    assert not (s.there / "x").exists()


@needs("scp")
def test_scp_as_a_program(site):
    s = site("InternalScp no")
    path = s.file()
    assert s.scp(path, f":{s.there}/a").returncode == 0
    assert (s.there / "a").read_bytes() == path.read_bytes()
    assert s.lines("scp") == []


# ---- what is forced -----------------------------------------------------------------------------

ONLY_SFTP = "This service allows sftp connections only.\n"


def only_sftp(s):
    """SFTP is served; a shell, a command and scp are refused as sshd refuses them."""
    path = s.file()
    assert s.sftp(f"put {path} {s.there}/a").returncode == 0
    for words in ([], ["echo in"], ["internal-sftp"], [f"scp -t {s.there}/b"],
                  [f"scp -f {s.there}/a"]):
        done = s.server.ssh(*words, more=["-T"])
        assert (done.returncode, done.stdout) == (1, ONLY_SFTP)
    done = s.server.ssh(more=["-tt"])
    assert (done.returncode, done.stdout) == (1, ONLY_SFTP)
    assert s.scp(path, f":{s.there}/b").returncode != 0
    assert not (s.there / "b").exists()
    s.server.log(rf"Connection from 127\.0\.0\.1 {PORT}: refusing non-sftp session")
    assert s.lines("scp") == []


def test_force_command(site):
    only_sftp(site("ForceCommand internal-sftp"))


def test_force_command_in_a_match_block(site, tmp_path):
    path = tmp_path / "config"
    path.write_text("Match localaddress 127.0.0.1\n  ForceCommand internal-sftp -l INFO\n")
    only_sftp(site(arguments=["-f", path]))


def test_a_keys_command(site):
    only_sftp(site(key_options='command="internal-sftp -l VERBOSE"'))


def test_a_certificates_command(site, keys):  # noqa: F811
    s = site()
    keys.file.write_text("cert-authority " + keys.public("ca") + "\n")
    keys.certify("-O", "force-command=internal-sftp")
    only_sftp(s)


def test_the_configurations_command_comes_first(site):
    s = site("ForceCommand internal-sftp -R", key_options='command="internal-sftp"')
    assert s.sftp(f"put {s.file()} {s.there}/a").returncode != 0
    s = site("ForceCommand echo no", key_options='command="internal-sftp"')
    assert s.sftp("pwd").returncode != 0
    assert s.server.ssh("x").stdout == "no\n"


def test_a_forced_command_wins_over_scp(site):
    s = site("ForceCommand echo forced")
    assert s.server.ssh(f"scp -t {s.there}").stdout == "forced\n"
    s = site(key_options='command="echo \\"key: $SSH_ORIGINAL_COMMAND\\""')
    assert s.server.ssh("scp -t x").stdout == "key: scp -t x\n"
    assert s.lines("scp") == []


def test_flags_of_a_key_that_are_wrong(site):
    s = site(key_options='command="internal-sftp -Z"')
    assert s.sftp("pwd").returncode != 0
    s.server.log(rf"^sftp {USER} from 127\.0\.0\.1 {PORT} refused: internal-sftp: unknown flag -Z$")


def test_another_subsystem_with_internal_sftp(site):
    s = site("Subsystem files internal-sftp -R", "Subsystem other echo other")
    done = s.run(["sftp", "-q", "-b", "-", *s.options, "-P", s.server.port, "-s", "files",
                  s.target], f"pwd\nput {s.file()} {s.there}/a\n")
    assert done.returncode == 1 and "Remote working directory" in done.stdout
    assert s.server.ssh("other", more=["-s"]).stdout == "other\n"
    assert s.sftp(f"put {s.file()} {s.there}/a").returncode == 0  # "sftp" is as it was


# ---- read-only, umask, quota, start, requests ---------------------------------------------------

@pytest.mark.parametrize("line", ["Subsystem sftp internal-sftp -R", "TransferReadOnly yes"])
def test_read_only(site, line):
    s = site(line)
    path = s.file()
    (s.there / "f").write_text("text")
    for order in (f"put {path} {s.there}/a", f"rm {s.there}/f", f"rename {s.there}/f {s.there}/g",
                  f"mkdir {s.there}/d", f"rmdir {s.there}", f"chmod 600 {s.there}/f",
                  f"symlink x {s.there}/l", f"ln {s.there}/f {s.there}/h"):
        done = s.sftp(order)
        assert done.returncode == 1 and "ermission denied" in done.stderr, order
    assert s.sftp(f"get {s.there}/f").returncode == 0
    assert [p.name for p in s.there.iterdir()] == ["f"]
    found = s.lines()
    assert (f'open "{s.there}/a" flags WRITE,CREATE,TRUNCATE mode 0644: refused: '
            "Permission denied") in found
    assert f'remove name "{s.there}/f": refused: Permission denied' in found
    # The flag is SFTP's alone, the word scp's, too.
    assert (s.scp(path, f":{s.there}/b").returncode == 0) == ("internal" in line)
    assert s.scp(f":{s.there}/f", "f").returncode == 0


@pytest.mark.parametrize("lines, sftp, scp", [
    (["TransferUmask 077"], 0o600, 0o600),
    (["TransferUmask 077", "Subsystem sftp internal-sftp -u 027"], 0o640, 0o600),
    (["Subsystem sftp internal-sftp -u 000"], 0o666, None),
])
def test_umask(site, lines, sftp, scp):
    s = site(*lines)
    path = s.file(size=10)
    path.chmod(0o666)
    assert s.sftp(f"put {path} {s.there}/a", f"mkdir {s.there}/d").returncode == 0
    assert (s.there / "a").stat().st_mode & 0o777 == sftp
    assert (s.there / "d").stat().st_mode & 0o777 == sftp | (sftp & 0o444) >> 2
    if scp is not None:
        assert s.scp(path, f":{s.there}/b").returncode == 0
        assert (s.there / "b").stat().st_mode & 0o777 == scp


def test_quota(site):
    s = site("TransferQuota 100k")
    small, large = s.file("small", 60_000), s.file("large", 200_000)
    for name in ("a", "b"):  # of each session
        assert s.sftp(f"put {small} {s.there}/{name}").returncode == 0
    done = s.sftp(f"put {large} {s.there}/c")
    assert done.returncode == 1
    assert s.scp(large, f":{s.there}/d").returncode == 1
    line = s.server.log(r'sftp .*: close ".*/c" bytes read 0 written (\d+) in [\d.]+ seconds: (.*)$')
    assert int(line.group(1)) < 200_000 and line.group(2) == "failed: No space left on device"
    line = s.server.log(r'scp .*: close ".*/d" bytes read 0 written (\d+) in [\d.]+ seconds: (.*)$')
    assert int(line.group(1)) < 200_000 and line.group(2) == "failed: No space left on device"


def test_start_directory(site, tmp_path):
    s = site(f"Subsystem sftp internal-sftp -d {tmp_path}/there")
    assert f"directory: {s.there}\n" in s.sftp("pwd").stdout
    s = site(f"Subsystem sftp internal-sftp -d {tmp_path}/%u-%%")
    (tmp_path / f"{USER}-%").mkdir()
    assert f"directory: {tmp_path}/{USER}-%\n" in s.sftp("pwd").stdout
    s = site("Subsystem sftp internal-sftp -d nowhere")
    home = os.path.expanduser("~")
    assert f"directory: {home}\n" in s.sftp("pwd").stdout
    s.server.log(f"the start directory {home}/nowhere is not there")


def test_denied_requests(site):
    s = site("Subsystem sftp internal-sftp -P remove,rename,posix-rename,limits")
    assert s.sftp(f"put {s.file()} {s.there}/a").returncode == 0
    for order in (f"rm {s.there}/a", f"rename {s.there}/a {s.there}/b"):
        assert "ermission denied" in s.sftp(order).stderr
    assert [p.name for p in s.there.iterdir()] == ["a"]
    assert f'remove name "{s.there}/a": refused: Permission denied' in s.lines()
    assert f'rename old "{s.there}/a" new "{s.there}/b": refused: Permission denied' in s.lines()


def test_allowed_requests(site):
    s = site("Subsystem sftp internal-sftp -p realpath,stat,lstat,open,read,close,fstat")
    (s.there / "f").write_text("text")
    assert s.sftp(f"get {s.there}/f").returncode == 0
    assert s.sftp(f"ls {s.there}").returncode == 1
    assert s.sftp(f"rm {s.there}/f").returncode == 1
    done = s.sftp(f"put {s.file()} {s.there}/g")
    assert done.returncode == 1 and (s.there / "g").stat().st_size == 0
    assert f'close "{s.there}/g" bytes read 0 written 0 in S seconds: failed: Permission denied' in (
        s.lines())


# ---- ChrootDirectory ----------------------------------------------------------------------------

@pytest.fixture
def jail(tmp_path):
    """A root with ways out of it, and something outside."""
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "f").write_text("inside")
    (root / "up").symlink_to("../secret")
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "home").symlink_to("d")
    return root


def test_root(site, jail, tmp_path):
    s = site(f"ChrootDirectory {jail}")
    path = s.file()
    done = s.sftp("pwd", "get f", f"put {path} d/a", "ls -1 /", "get home/a b", "cd ../../..", "pwd")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Remote working directory: /\n") == 2
    assert (s.here / "f").read_text() == "inside"
    assert (s.here / "b").read_bytes() == (jail / "d" / "a").read_bytes() == path.read_bytes()
    assert f"session opened, root {jail}" in s.closed()
    for name in ("up", "absolute", "folder/secret", "../secret", "/../secret", "d/../../secret",
                 f"{tmp_path}/secret", "/etc/passwd", "/proc/self/root/etc/passwd"):
        done = s.sftp(f"get {name} stolen")
        assert done.returncode == 1 and not (s.here / "stolen").exists(), name
        assert s.scp(f":{name}", "stolen").returncode == 1
        assert not (s.here / "stolen").exists(), name
    for name in ("folder/made", "../made", "up", f"{tmp_path}/made"):
        s.sftp(f"put {path} {name}")
        s.scp(path, f":{name}")
    assert not (tmp_path / "made").exists()
    assert (tmp_path / "secret").read_text() == "secret"
    assert s.scp(f":f", "g").returncode == 0
    assert (s.here / "g").read_text() == "inside"
    assert s.scp(path, ":/d/c").returncode == 0
    assert (jail / "d" / "c").read_bytes() == path.read_bytes()


def test_nothing_but_files_under_a_root(site, jail):
    s = site(f"ChrootDirectory {jail}", "Subsystem other echo other", "InternalScp no")
    only = "This service allows file transfer connections only.\n"
    for words, more in (([], ["-T"]), (["echo in"], []), (["other"], ["-s"]), (["scp -t /"], []),
                        (["scp -f /f"], [])):
        done = s.server.ssh(*words, more=more)
        assert (done.returncode, done.stdout) == (1, only)
    s.server.log("refusing non-file transfer session: ChrootDirectory is set")
    assert s.sftp("get f").returncode == 0


def test_a_terminal_is_no_way_around(site, jail):
    s = site(f"ChrootDirectory {jail}")
    done = s.server.ssh("scp -f /etc/passwd", more=["-tt"])
    assert done.returncode == 1
    assert done.stdout == "This service allows file transfer connections only.\n"


def test_a_forced_program_under_a_root(site, jail):
    s = site(f"ChrootDirectory {jail}", "ForceCommand echo out")
    assert "out" not in s.server.ssh("x").stdout
    assert s.sftp("pwd").returncode != 0
    s = site(f"ChrootDirectory {jail}", "ForceCommand internal-sftp")
    assert s.sftp("get f").returncode == 0
    assert s.server.ssh("x").stdout == ONLY_SFTP


def test_a_program_as_sftp_under_a_root(site, jail):
    s = site(f"ChrootDirectory {jail}", "Subsystem sftp /usr/lib/openssh/sftp-server")
    assert s.sftp("get f").returncode != 0
    s.server.log("refusing non-file transfer session")


def test_no_sockets_under_a_root(site, jail, tmp_path):
    s = site(f"ChrootDirectory {jail}")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    listener.settimeout(0)
    ours = str(s.here / "ours")
    with subprocess.Popen(["ssh", *s.options, "-p", str(s.server.port), "-N", "-L",
                           f"{ours}:{tmp_path}/socket", s.target]) as forwarding:
        s.server.wait_for_file(s.here / "ours")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(ours)
            assert client.recv(1) == b""
        forwarding.terminate()
    s.server.log("Received request to connect to path .*/socket, but the request was denied")
    forward = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", f"{tmp_path}/theirs:127.0.0.1:1"]
    assert s.server.ssh(more=forward).returncode == 255
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert not (tmp_path / "theirs").exists()
    s.server.log("Received request to remote forward to path .*/theirs, but the request was denied")


def test_root_with_tokens_and_in_a_match_block(site, tmp_path):
    (tmp_path / f"root-{USER}").mkdir()
    (tmp_path / f"root-{USER}" / "f").write_text("inside")
    path = tmp_path / "config"
    path.write_text(f"Match localaddress 127.0.0.1\nChrootDirectory {tmp_path}/root-%u\n"
                    "ForceCommand internal-sftp -d /deep\n")
    s = site(arguments=["-f", path])
    done = s.sftp("pwd", "get f")
    assert done.returncode == 0 and "Remote working directory: /\n" in done.stdout
    s.server.log("the start directory /deep is not there")
    (tmp_path / f"root-{USER}" / "deep").mkdir()
    assert "Remote working directory: /deep\n" in s.sftp("pwd").stdout


def test_the_home_directory_in_the_root(site, jail):
    home = os.path.expanduser("~")
    inside = jail / home.lstrip("/")
    if inside.is_symlink():
        inside.unlink()
    s = site(f"ChrootDirectory {jail}")
    assert "Remote working directory: /\n" in s.sftp("pwd").stdout
    if not inside.exists() and not (jail / home.split("/")[1]).is_symlink():
        inside.mkdir(parents=True)
        assert f"Remote working directory: {home}\n" in s.sftp("pwd").stdout


@pytest.mark.parametrize("what", ["writable", "parent", "absent", "file", "link"])
def test_roots_that_are_not_safe(site, tmp_path, what):
    outer = tmp_path / "outer"
    root = outer / "root"
    root.mkdir(parents=True)
    path = root
    if what == "writable":
        root.chmod(0o770)
    elif what == "parent":
        outer.chmod(0o777)
    elif what == "absent":
        path = root / "none"
    elif what == "file":
        path = root / "f"
        path.touch()
    else:
        unsafe = tmp_path / "unsafe"
        unsafe.mkdir()
        unsafe.chmod(0o777)
        path = unsafe / "root"
        path.symlink_to(root)
    s = site(f"ChrootDirectory {path}")
    assert s.sftp("pwd").returncode != 0
    assert s.scp(s.file(), ":a").returncode != 0
    assert s.server.ssh("true").returncode == 1
    said = {"absent": "No such file or directory", "file": "Not a directory"}
    s.server.log(rf"^sftp {USER} from \S+ {PORT} refused: ChrootDirectory: /\S+: "
                 + said.get(what, "bad owner or modes"))
    s.server.log(rf"^scp {USER} from \S+ {PORT} refused: ChrootDirectory")
    outer.chmod(0o700)


def test_a_sticky_parent_is_safe(site, tmp_path):
    sticky = tmp_path / "sticky"
    (sticky / "root").mkdir(parents=True)
    sticky.chmod(0o1777)
    s = site(f"ChrootDirectory {sticky}/root")
    assert s.sftp("pwd").returncode == 0
    sticky.chmod(0o700)


# ---- a part is never called complete ------------------------------------------------------------

class Raw:
    """SFTP by hand, through `ssh -s`."""

    def __init__(self, site, *words):
        words = words or ("-s", "sftp")
        flags = [w for w in words if w == "-s"]
        self.process = subprocess.Popen(
            ["ssh", *site.options, "-p", str(site.server.port), *flags, site.target,
             *[w for w in words if w != "-s"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, *parts):
        body = b"".join(parts)
        self.process.stdin.write(struct.pack(">I", len(body)) + body)
        self.process.stdin.flush()

    def receive(self):
        (length,) = struct.unpack(">I", self.process.stdout.read(4))
        return self.process.stdout.read(length)

    def begin(self):
        self.send(struct.pack(">BI", 1, 3))
        assert self.receive()[0] == 2

    def open(self, path, flags):
        name = str(path).encode()
        self.send(struct.pack(">BII", 3, 1, len(name)), name, struct.pack(">II", flags, 0))
        reply = self.receive()
        assert reply[0] == 102
        return reply[5:]

    def read(self, handle, offset, length):
        self.send(struct.pack(">BI", 5, 2), handle, struct.pack(">QI", offset, length))
        return self.receive()

    def write(self, handle, offset, data):
        self.send(struct.pack(">BI", 6, 3), handle, struct.pack(">QI", offset, len(data)), data)
        return self.receive()

    def shut(self, handle):
        self.send(struct.pack(">BI", 4, 4), handle)
        return self.receive()

    def vanish(self):
        self.process.kill()
        self.process.wait()

    def leave(self):
        self.process.stdin.close()
        return self.process.wait(30)


def last_close(s, kind="sftp"):
    s.server.log(rf"^{kind} .*: session closed")
    return [line for line in s.lines(kind) if line.startswith("close ")][-1]


def test_a_client_that_vanishes(site):
    s = site()
    (s.there / "f").write_bytes(b"x" * 1000)
    raw = Raw(s)
    raw.begin()
    handle = raw.open(s.there / "up", 0x1a)
    raw.write(handle, 0, b"y" * 500)
    other = raw.open(s.there / "f", 1)
    raw.read(other, 0, 1000)
    raw.vanish()
    s.server.log("session closed")
    found = [line for line in s.lines() if line.startswith("close ")]
    assert sorted(found) == [
        f'close "{s.there}/f" bytes read 1000 written 0 in S seconds: '
        "interrupted: the connection was lost",
        f'close "{s.there}/up" bytes read 0 written 500 in S seconds: '
        "interrupted: the connection was lost",
    ]


def test_a_client_that_leaves_files_open(site):
    s = site()
    raw = Raw(s)
    raw.begin()
    raw.write(raw.open(s.there / "up", 0x1a), 0, b"y" * 500)
    assert raw.leave() == 0
    assert last_close(s) == (f'close "{s.there}/up" bytes read 0 written 500 in S seconds: '
                             "interrupted: the client left it open")


def test_a_part_that_is_read(site):
    s = site()
    (s.there / "f").write_bytes(b"x" * 1000)
    raw = Raw(s)
    raw.begin()
    handle = raw.open(s.there / "f", 1)
    raw.read(handle, 500, 500)  # the end, and not all
    raw.shut(handle)
    handle = raw.open(s.there / "f", 1)
    raw.read(handle, 0, 1000)  # all, to the byte
    raw.shut(handle)
    assert raw.leave() == 0
    s.server.log("session closed")
    assert [line for line in s.lines() if line.startswith("close ")] == [
        f'close "{s.there}/f" bytes read 500 written 0 in S seconds: partial',
        f'close "{s.there}/f" bytes read 1000 written 0 in S seconds: complete',
    ]


@pytest.mark.parametrize("end, said", [
    (b"", "interrupted: the client left it open"),
    (b"x" * 500 + b"\1read error\n", "failed: an error at the client"),
    (b"x" * 500, "interrupted: the client left it open"),  # it has not said that this is all
    (b"x" * 500 + b"\0", "complete"),
])
def test_scp_that_sends(site, end, said):
    s = site()
    raw = Raw(s, f"scp -t {s.there}/f")
    raw.process.stdin.write(b"C0644 1000 f\n" + b"x" * 500 + end)
    raw.leave()
    written = 500 + end.count(b"x")
    assert last_close(s, "scp") == (
        f'close "{s.there}/f" bytes read 0 written {written} in S seconds: {said}')


def test_scp_that_sends_and_vanishes(site):
    s = site()
    raw = Raw(s, f"scp -t {s.there}/f")
    raw.process.stdin.write(b"C0644 1000 f\n" + b"x" * 500)
    raw.process.stdin.flush()
    s.server.wait_for_file(s.there / "f")
    end = time.monotonic() + 30
    while (s.there / "f").stat().st_size < 500:
        assert time.monotonic() < end
        time.sleep(0.01)
    raw.vanish()
    assert last_close(s, "scp").endswith("written 500 in S seconds: interrupted: "
                                         "the connection was lost")


@pytest.mark.parametrize("end, said", [
    (b"\0\0\0", "complete"),
    (b"\0\0\1disk full\n", "failed: an error at the client"),
    (b"\0\0", "interrupted: the client left it open"),
])
def test_scp_that_fetches(site, end, said):
    s = site()
    (s.there / "f").write_bytes(b"x" * 1000)
    raw = Raw(s, f"scp -f {s.there}/f")
    raw.process.stdin.write(end)
    raw.leave()
    assert last_close(s, "scp") == (
        f'close "{s.there}/f" bytes read 1000 written 0 in S seconds: {said}')


# ---- sessions -----------------------------------------------------------------------------------

def test_many_sessions_in_one_connection(site):
    s = site("MaxSessions 2")
    path = s.file()
    socket_path = s.here / "m"
    with subprocess.Popen(["ssh", *s.options, "-p", str(s.server.port), "-MNS", str(socket_path),
                           s.target]) as master:
        try:
            s.server.wait_for_file(socket_path)
            for i in range(5):
                more = ["-o", f"ControlPath={socket_path}"]
                assert s.sftp(f"put {path} {s.there}/{i}", more=more).returncode == 0
                assert s.scp(path, f":{s.there}/scp{i}", *more).returncode == 0
        finally:
            master.terminate()
    assert len(list(s.there.iterdir())) == 10


def test_the_server_stops_during_a_transfer(site):
    s = site()
    raw = Raw(s)
    raw.begin()
    raw.write(raw.open(s.there / "up", 0x1a), 0, b"y" * 500)
    assert s.server.stop() == 0
    raw.process.wait(30)
    assert last_close(s).endswith(": interrupted: the connection was lost")


def test_settings_that_are_read_again(site, tmp_path):
    path = tmp_path / "config"
    path.write_text("")
    s = site(arguments=["-f", path])
    assert s.sftp(f"put {s.file()} {s.there}/a").returncode == 0
    path.write_text("TransferReadOnly yes\nSubsystem sftp internal-sftp -l VERBOSE\n")
    s.server.process.send_signal(1)
    s.server.log("read again|Reread|re-read|reloaded|Received SIGHUP")
    assert s.sftp(f"put {s.file()} {s.there}/b").returncode == 1
