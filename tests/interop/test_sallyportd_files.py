"""File transfer that sallyportd serves itself: SFTP and scp with real clients; ForceCommand,
read-only, umask, quota and internal-sftp's flags, in the configuration, in Match blocks and in keys;
the lines in the log."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from sallyportd_site import *  # fixtures come by their names, too
from sallyportd_tools import *

pytestmark = needs_ssh


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
