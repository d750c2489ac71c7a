"""sallyportd's command line and configuration words: every flag, -t and -T, each kind of mistake with
its text and exit code, what the words do to real logins, and a comparison with sshd where both have
the word. Build folder: $SALLYPORT_BUILD."""

import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from sallyportd_tools import *  # fixtures come by their names, too

# ---- flags that end at once ---------------------------------------------------------------------

def test_version(call):
    run = call("-V")
    assert run.returncode == 0
    assert re.fullmatch(r"Sallyport_\d+\.\d+\.\d+\n", run.stderr)


@pytest.mark.parametrize("arguments, text", [
    (["-Z"], "usage: sallyportd"),
    (["-p"], "usage: sallyportd"),
    (["-f", "/nonexistent/file"], "/nonexistent/file: No such file or directory"),
    (["extra"], "extra"),
    (["-p", "99999"], "99999"),
    (["-p", "x"], "bad port number 'x'"),
    (["-g", "soon"], "soon"),
    (["-E", "/nonexistent/log", "-t"], "/nonexistent/log"),
])
def test_wrong_flags_exit_with_1(call, arguments, text):
    run = call(*arguments)
    assert (run.returncode, run.stdout) == (1, "")
    assert text in run.stderr


@pytest.mark.parametrize("arguments, word, value", [
    (["-4"], "addressfamily", ["inet"]),
    (["-6"], "addressfamily", ["inet6"]),
    (["-6"], "listenaddress", ["[::1]:8022"]),
    (["-p", "2222"], "port", ["2222"]),
    (["-p", "2222", "-p", "2223"], "port", ["2222", "2223"]),
    (["-p", "2222", "-p", "2223"], "listenaddress", ["127.0.0.1:2222", "127.0.0.1:2223"]),
    (["-g", "1m30"], "logingracetime", ["90"]),
    (["-q"], "loglevel", ["QUIET"]),
    (["-d"], "loglevel", ["DEBUG"]),
    (["-dd"], "loglevel", ["DEBUG2"]),
    (["-ddd"], "loglevel", ["DEBUG3"]),
    (["-D", "-e", "-i", "-r", "-u0"], "port", ["8022"]),
])
def test_flags_in_the_printout(call, arguments, word, value):
    run = call("-T", *arguments)
    assert run.returncode == 0, run.stderr
    assert settings(run.stdout)[word] == value


def test_host_key_flag(call, host_key):
    run = call("-T", "-h", host_key)
    assert settings(run.stdout)["hostkey"] == [str(host_key)]


def test_a_test_makes_no_files(call, environment):
    assert call("-t").returncode == 0
    assert call("-T").returncode == 0
    assert not os.path.exists(environment["XDG_STATE_HOME"])


# ---- mistakes in configuration lines ------------------------------------------------------------

@pytest.mark.parametrize("line, code, text", [
    ("Nonsense=1", 1, "Bad configuration option: Nonsense"),
    ("Port", 1, 'no argument after keyword "Port"'),
    ("Port 22 23", 1, "keyword Port extra arguments at end of line"),
    ("Banner /a /b", 1, "extra arguments"),
    ('SetEnv "A=b', 1, "quote"),
    ("Port=x", 255, "'x'"),
    ("Port=65536", 255, "65536"),
    ("Port=-1", 255, "-1"),
    ("ListenAddress=[::1", 255, "[::1"),
    ("ListenAddress=127.0.0.1:x", 255, "127.0.0.1:x"),
    ("AddressFamily=inet7", 255, "inet7"),
    ("LoginGraceTime=2x", 255, "2x"),
    ("LoginGraceTime=-1", 255, "-1"),
    ("LoginGraceTime=none", 255, "none"),
    ("LoginGraceTime=99999999999w", 255, "99999999999w"),
    ("MaxAuthTries=many", 255, "many"),
    ("MaxSessions=-3", 255, "-3"),
    ("StrictModes=perhaps", 255, "perhaps"),
    ("Compression=lots", 255, "lots"),
    ("PermitRootLogin=sometimes", 255, "sometimes"),
    ("LogLevel=loud", 255, "loud"),
    ("SyslogFacility=nowhere", 255, "nowhere"),
    ("MaxStartups=x", 255, "x"),
    ("MaxStartups=10:30", 255, "10:30"),
    ("MaxStartups=10:101:100", 255, "10:101:100"),
    ("MaxStartups=10:30:5", 255, "10:30:5"),
    ("Ciphers=rot13", 255, 'unknown cipher name "rot13"'),
    ("Ciphers=+rot13", 255, "rot13"),
    ("Ciphers=^rot13", 255, "rot13"),
    ("Ciphers=-*", 255, "list of cipher names is empty"),
    ("MACs=crc32", 255, "unknown MAC"),
    ("KexAlgorithms=pigeon", 255, "pigeon"),
    ("HostKeyAlgorithms=ssh-dss", 255, "ssh-dss"),
    ("PubkeyAcceptedAlgorithms=ssh-dss", 255, "ssh-dss"),
    ("RekeyLimit=1x", 255, "1x"),
    ("RekeyLimit=3", 255, "too small"),
    ("RekeyLimit=1G soon", 255, "soon"),
    ("ClientAliveInterval=x", 255, "x"),
    ("ClientAliveCountMax=x", 255, "x"),
    ("SetEnv=NOVALUE", 255, "NOVALUE"),
    ("Subsystem=sftp", 255, "command is missing"),
    ("AuthenticationMethods=telepathy", 255, "telepathy"),
    ("AuthenticationMethods=publickey,", 255, "comma"),
    ("AuthenticationMethods=password", 255, "off"),
    ("RequiredRSASize=99999", 255, "99999"),
    ("Match user x", 255, "not supported as a command-line option"),
    ("Include /x", 255, "not supported as a command-line option"),
    ("PerSourceMaxStartups=0", 255, "'0'"),
    ("AllowTcpForwarding=some", 255, "some"),
    ("AllowStreamLocalForwarding=some", 255, "some"),
    ("DisableForwarding=some", 255, "some"),
    ("PermitListen=host", 255, "host"),
    ("PermitListen=0", 255, "'0'"),
    ("PermitListen=host:0", 255, "host:0"),
    ("PermitListen=a:1 65536", 255, "65536"),
    ("StreamLocalBindMask=888", 255, "888"),
    ("StreamLocalBindMask=1777", 255, "1777"),
    ("StreamLocalBindUnlink=x", 255, "x"),
    ("GatewayPorts=some", 255, "some"),
    ("X11DisplayOffset=x", 255, "x"),
    ("X11Forwarding=x", 255, "x"),
    ("PubkeyAuthOptions=x", 255, "unknown option 'x'"),
    ("CASignatureAlgorithms=ssh-dss", 255, "ssh-dss"),
    ("PermitOpen=host", 255, "host"),
    ("PermitOpen=host:0", 255, "host:0"),
    ("PermitOpen=host:65536", 255, "host:65536"),
    ("PermitOpen=host:80x", 255, "host:80x"),
    ("PermitOpen=:80", 255, ":80"),
    ("PermitOpen=::1:80", 255, "::1:80"),
    ("PermitOpen=[]:80", 255, "[]:80"),
    ("PermitOpen=any host:1", 255, "any"),
])
def test_bad_lines(call, line, code, text):
    run = call("-t", "-o", line)
    assert run.returncode == code
    assert text in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("line", [
    "UsePAM=yes", "PrintMotd=yes", "UseDNS=yes", "GSSAPIAuthentication=yes",
    "ExposeAuthInfo=yes", "IPQoS=lowdelay throughput", "PermitTunnel=yes",
])
def test_what_we_lack_is_said(call, line):
    run = call("-t", "-o", line)
    assert run.returncode == 0
    assert f"{line.split('=')[0]} is not supported" in run.stderr


@pytest.mark.parametrize("line", [
    "UsePAM=no", "X11Forwarding=no", "AllowTcpForwarding=no", "ChrootDirectory=none",
    "RevokedKeys=none", "UseDNS=no", "PrintMotd=no", "FingerprintHash=sha256",
    "XAuthLocation=/usr/bin/xauth", "PubkeyAuthOptions=touch-required verify-required",
    "PermitUserEnvironment=A,B_*", "TrustedUserCAKeys=none", "AuthorizedPrincipalsFile=none",
])
def test_what_asks_for_nothing_is_silent(call, line):
    run = call("-t", "-o", line)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_second_line_of_a_word_is_checked_too(call):
    run = call("-t", *options("LoginGraceTime=5", "LoginGraceTime=never"))
    assert run.returncode == 255


def test_a_subsystem_twice(call):
    assert call("-t", *options("Subsystem=x a", "Subsystem=x b")).returncode == 255


# ---- host keys ----------------------------------------------------------------------------------

@pytest.mark.parametrize("flag", ["-t", "-T", "-D"])
def test_missing_host_key(call, flag):
    run = call(flag, "-e", "-h", "/nonexistent/key")
    assert run.returncode == 1
    assert "/nonexistent/key can't be loaded: No such file or directory" in run.stderr
    assert "No host key" in run.stderr


def test_host_key_that_others_can_read(call, host_key, tmp_path):
    key = tmp_path / "open"
    shutil.copy(host_key, key)
    key.chmod(0o640)
    run = call("-t", "-h", key)
    assert run.returncode == 1
    assert f"{key} is not protected: its mode is 0640" in run.stderr


def test_host_key_that_is_none(call, tmp_path):
    key = tmp_path / "junk"
    key.write_text("not a key\n")
    key.chmod(0o600)
    run = call("-t", "-h", key)
    assert run.returncode == 1
    assert "malformed" in run.stderr


def test_host_key_with_passphrase(call, tmp_path):
    key = tmp_path / "secret"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "words", "-f", key], check=True)
    run = call("-t", "-h", key)
    assert run.returncode == 1
    assert "passphrase" in run.stderr


def test_one_good_key_is_enough(call, host_key):
    run = call("-t", "-h", "/nonexistent/key", "-h", host_key)
    assert run.returncode == 0
    assert "/nonexistent/key" in run.stderr


# ---- the printout -------------------------------------------------------------------------------

MANY = [
    "Port 2201", "port=2202", "ListenAddress 127.0.0.1:99", "listenaddress ::1",
    "LISTENADDRESS [::1]:77", "LoginGraceTime 1h30m", "MaxAuthTries = 3", "MaxSessions=2",
    "MaxStartups 5:40:9", "VersionAddendum some words", "PermitEmptyPasswords yes",
    "PasswordAuthentication yes", "AuthenticationMethods password,publickey publickey",
    "AllowUsers a b@192.0.2.*", "AllowUsers c", "DenyUsers d", "Ciphers aes256-ctr,aes128-ctr",
    "MACs -hmac-sha2-512*", "KexAlgorithms ^ecdh-sha2-nistp521", "Compression no",
    "RekeyLimit 1G 1h", "ClientAliveInterval 1m", "ClientAliveCountMax 0", "AcceptEnv A B_*",
    "AcceptEnv C", 'SetEnv A=b "C=d e"', "ForceCommand echo 'a  b' \"$SSH_ORIGINAL_COMMAND\"",
    "PermitTTY no", "Subsystem sftp /usr/lib/sftp-server -l 'a b'", "Subsystem two /bin/two",
    "LogLevel verbose", "SyslogFacility local3", "TCPKeepAlive no", "StrictModes no",
    "PidFile /tmp/pid", "AuthorizedKeysFile %h/keys none", "PermitRootLogin no",
    "RequiredRSASize 4096", "PubkeyAuthentication yes",
]


def test_round_trip(call, host_key, tmp_path):
    banner = tmp_path / "a banner"
    first = call("-T", "-h", host_key, *options(*MANY, f'Banner "{banner}"'))
    assert first.returncode == 0, first.stderr
    again = call("-T", *options(*first.stdout.splitlines()))
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == first.stdout


def test_round_trip_of_the_defaults(call):
    first = call("-T")
    again = call("-T", *options(*first.stdout.splitlines()))
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == first.stdout


def test_printed_values(call):
    found = settings(call("-T", *options(*MANY)).stdout)
    assert found["port"] == ["2201", "2202"]
    assert found["listenaddress"] == ["127.0.0.1:99", "[::1]:2201", "[::1]:2202", "[::1]:77"]
    assert found["logingracetime"] == ["5400"]
    assert found["allowusers"] == ["a", "b@192.0.2.*", "c"]
    assert found["ciphers"] == ["aes256-ctr,aes128-ctr"]
    assert "hmac-sha2-512" not in found["macs"][0]
    assert found["kexalgorithms"][0].startswith("ecdh-sha2-nistp521,")
    assert found["rekeylimit"] == ["1073741824 3600"]
    assert found["setenv"] == ['A=b "C=d e"']
    assert found["forcecommand"] == ["echo 'a  b' \"$SSH_ORIGINAL_COMMAND\""]
    assert found["subsystem"] == ["sftp /usr/lib/sftp-server -l 'a b'", "two /bin/two"]
    assert found["authenticationmethods"] == ["password,publickey publickey"]
    assert found["kbdinteractiveauthentication"] == ["yes"]


def test_the_first_value_stands(call):
    found = settings(call("-T", *options("MaxAuthTries 2", "MaxAuthTries 5")).stdout)
    assert found["maxauthtries"] == ["2"]


@pytest.mark.parametrize("word", ALGORITHM_WORDS)
def test_algorithm_prefixes(call, word):
    default = settings(call("-T").stdout)[word][0].split(",")
    last = default[-1]

    def with_value(value):
        return settings(call("-T", "-o", f"{word}={value}").stdout)[word][0].split(",")
    assert with_value(last) == [last]
    assert with_value("+" + last) == default
    assert with_value("-" + last) == default[:-1]
    assert with_value("^" + last) == [last] + default[:-1]


def sshd_settings(lines, host_key):
    run = run_sshd("-T", "-f", "/dev/null", "-h", str(host_key), *options(*lines))
    assert run.returncode == 0, run.stderr
    return settings(run.stdout)


@needs_sshd
def test_defaults_that_sshd_has_too(call, host_key):
    ours = settings(call("-T", "-h", host_key).stdout)
    theirs = sshd_settings([], host_key)
    same = ["addressfamily", "logingracetime", "maxauthtries", "maxsessions",
            "clientaliveinterval", "clientalivecountmax", "permitrootlogin",
            "pubkeyauthentication", "permittty", "strictmodes", "tcpkeepalive",
            "permitemptypasswords", "compression", "banner", "forcecommand", "versionaddendum",
            "loglevel", "syslogfacility", "authorizedkeysfile", "authenticationmethods",
            "maxstartups", "hostkey", "usepam", "x11forwarding", "chrootdirectory",
            "allowagentforwarding", "allowtcpforwarding", "allowstreamlocalforwarding",
            "gatewayports", "streamlocalbindmask", "streamlocalbindunlink", "permitlisten",
            "permitopen", "x11displayoffset", "x11uselocalhost", "trustedusercakeys",
            "authorizedprincipalsfile", "revokedkeys", "permituserenvironment", "permituserrc",
            "persourcemaxstartups", "pubkeyauthoptions", "disableforwarding"]
    assert {w: ours[w] for w in same} == {w: theirs[w] for w in same}


@needs_sshd
@pytest.mark.parametrize("lines", [
    ["Port 2201", "Port 2202", "ListenAddress 127.0.0.1"],
    ["ListenAddress 127.0.0.1:99", "ListenAddress [::1]:98"],
    ["AddressFamily inet"],
    ["LoginGraceTime 2m", "LoginGraceTime 5"],
    ["LoginGraceTime 1w2d3h4m5s"],
    ["LoginGraceTime 0"],
    ["MaxAuthTries 0"],
    ["MaxStartups 7"],
    ["MaxStartups 5:40:9"],
    ["Compression delayed"],
    ["Compression no"],
    ["PermitRootLogin prohibit-password"],
    ["PermitRootLogin forced-commands-only"],
    ["Banner /etc/issue.net"],
    ["Banner none"],
    ["VersionAddendum two words"],
    ["ForceCommand echo 'a b'  c"],
    ["AllowUsers a b", "AllowUsers c", "DenyUsers d"],
    ["AcceptEnv LANG LC_*", "AcceptEnv X"],
    ["SetEnv A=b"],
    ["Subsystem sftp /usr/lib/sftp-server -e"],
    ["RekeyLimit 1G 1h"],
    ["RekeyLimit 64k 90"],
    ["Ciphers aes256-ctr,aes128-ctr"],
    ["MACs hmac-sha2-256,hmac-sha2-512"],
    ["KexAlgorithms curve25519-sha256"],
    ["HostKeyAlgorithms ssh-ed25519"],
    ["PubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-512"],
    ["PubkeyAcceptedKeyTypes ssh-ed25519"],
    ["ChallengeResponseAuthentication no"],
    ["LogLevel debug3"],
    ["LogLevel DEBUG"],
    ["SyslogFacility local7"],
    ["AuthorizedKeysFile /etc/keys/%u .ssh/more"],
    ["AuthorizedKeysFile none"],
    ["ClientAliveInterval 1m", "ClientAliveCountMax 5"],
    ["PasswordAuthentication yes", "PermitEmptyPasswords yes"],
    ["PermitTTY no", "StrictModes no", "TCPKeepAlive no"],
    ["RequiredRSASize 3072"],
    ["PermitListen 80 a*:90 [::1]:91 host:*"],
    ["PermitListen any"],
    ["PermitListen none"],
    ["PermitListen *"],
    ["PermitOpen host:80 [::1]:* *:90"],
    ["StreamLocalBindMask 0077", "StreamLocalBindUnlink yes"],
    ["GatewayPorts clientspecified"],
    ["AllowAgentForwarding no", "X11Forwarding yes", "X11DisplayOffset 20", "X11UseLocalhost no"],
    ["TrustedUserCAKeys /etc/ca", "AuthorizedPrincipalsFile /etc/%u", "RevokedKeys /etc/krl"],
    ["TrustedUserCAKeys none", "AuthorizedPrincipalsFile none", "RevokedKeys none"],
    ["CASignatureAlgorithms ssh-ed25519,rsa-sha2-512"],
    ["PermitUserEnvironment yes"],
    ["PermitUserEnvironment LANG,LC_*"],
    ["PermitUserRC no"],
    ["HostKeyAgent SSH_AUTH_SOCK"],
    ["HostKeyAgent /run/agent"],
    ["HostCertificate /etc/one", "HostCertificate /etc/two"],
    ["AuthorizedKeysCommand /bin/x %u 'a b'", "AuthorizedKeysCommandUser nobody"],
    ["AuthorizedPrincipalsCommand /bin/x", "AuthorizedPrincipalsCommandUser nobody"],
    ["PubkeyAuthOptions touch-required verify-required"],
    ["AllowGroups a b", "DenyGroups c", "AllowGroups d"],
    ["PerSourceMaxStartups 5"],
    ["PerSourceMaxStartups none"],
    ["PubkeyAcceptedAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519"],
])
def test_printout_beside_sshds(call, host_key, lines):
    run = call("-T", "-h", host_key, *options(*lines))
    assert run.returncode == 0, run.stderr
    ours, theirs = settings(run.stdout), sshd_settings(lines, host_key)
    names = {"challengeresponseauthentication": "kbdinteractiveauthentication",
             "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms"}
    for line in lines:
        word = line.split()[0].lower()
        word = names.get(word, word)
        # The order of these is not set, and sshd's differs from ours.
        assert sorted(ours[word]) == sorted(theirs[word])


@needs_sshd
@pytest.mark.parametrize("arguments", [
    ["-Z"], ["-p", "99999"], ["-g", "soon"], ["extra"], ["-E", "/nonexistent/log"],
    ["-h", "/nonexistent/key"],
    *(["-o", line] for line in [
        "Nonsense=1", "Port", "Port 22 23", "Port=x", "ListenAddress=[::1", "AddressFamily=inet7",
        "LoginGraceTime=2x", "MaxAuthTries=many", "StrictModes=perhaps", "Compression=lots",
        "PermitRootLogin=sometimes", "LogLevel=loud", "SyslogFacility=nowhere", "MaxStartups=x",
        "Ciphers=rot13", "Ciphers=+rot13", "MACs=crc32", "KexAlgorithms=pigeon", "RekeyLimit=1x",
        "RekeyLimit=3", "SetEnv=NOVALUE", "Subsystem=sftp", "AuthenticationMethods=telepathy",
        "StrictModes=yes", "UsePAM=no", "Banner=/nonexistent"])
])
def test_exit_codes_beside_sshds(call, host_key, arguments):
    keys = [] if "-h" in arguments else ["-h", str(host_key)]
    theirs = run_sshd("-t", "-f", "/dev/null", *keys, *arguments)
    assert call("-t", *keys, *arguments).returncode == theirs.returncode


# ---- a running server ---------------------------------------------------------------------------

@needs_ssh
@needs_client_key
def test_first_start(serve, environment):
    server = serve(own_host_keys=True)
    state = Path(environment["XDG_STATE_HOME"]) / "sallyport"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    kinds = {"ssh_host_ed25519_key": "256 .*ED25519", "ssh_host_ecdsa_key": "256 .*ECDSA",
             "ssh_host_rsa_key": "3072 .*RSA", "id_ed25519": "256 .*ED25519"}
    for name, kind in kinds.items():
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
        for file in (name, name + ".pub"):
            told = subprocess.run(["ssh-keygen", "-l", "-f", state / file], text=True, check=True,
                                  capture_output=True).stdout
            assert re.match(kind, told)
    run = server.ssh("echo in; echo aside >&2; exit 7")
    # bash reads the user's ~/.bashrc, which may have words of its own.
    assert (run.returncode, run.stdout, run.stderr[-6:]) == (7, "in\n", "aside\n")
    server.log(rf"^Accepted publickey for {USER} from 127.0.0.1 port \d+ ssh2: ED25519 SHA256:")
    server.log(rf"^Disconnected from user {USER} 127.0.0.1 port \d+")


@needs_ssh
@needs_client_key
def test_second_start_keeps_keys_and_known_hosts(serve, environment):
    state = Path(environment["XDG_STATE_HOME"]) / "sallyport"
    first = serve(own_host_keys=True)
    before = {p.name: p.read_bytes() for p in state.iterdir() if p.name != "known_hosts"}
    second = serve(own_host_keys=True)
    assert {p.name: p.read_bytes() for p in state.iterdir() if p.name != "known_hosts"} == before
    for server in (first, second):
        assert server.ssh("true").returncode == 0
    hosts = [line.split()[0] for line in (state / "known_hosts").read_text().splitlines()]
    assert sorted(set(hosts)) == sorted({f"[127.0.0.1]:{s.port}" for s in (first, second)})
    assert len(hosts) == 6


@needs_ssh
@needs_client_key
def test_only_our_user(serve):
    server = serve("LogLevel=INFO")
    run = server.ssh("true", user="nobody-at-all")
    assert run.returncode == 255
    assert "Permission denied (publickey)" in run.stderr
    server.log("^Invalid user nobody-at-all from 127.0.0.1 port")
    assert server.ssh("true").returncode == 0


def test_port_in_use(call, host_key):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for mode in (["-D", "-e"], ["-e"], []):
            run = call(*mode, "-h", host_key, "-p", port)
            assert run.returncode == 255
            assert (f"Bind to port {port} on 127.0.0.1 failed: Address already in use"
                    in run.stderr)


def test_address_that_is_not_ours(call, host_key):
    run = call("-D", "-e", "-h", host_key, *options("ListenAddress=203.0.113.9"))
    assert run.returncode == 255
    assert "203.0.113.9 failed: " in run.stderr


def test_name_that_does_not_resolve(call, host_key):
    run = call("-D", "-e", "-h", host_key, *options("ListenAddress=no.such.host.invalid"))
    assert run.returncode == 255
    assert "no.such.host.invalid" in run.stderr


def test_one_of_two_addresses_is_enough(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = serve(f"ListenAddress=127.0.0.1:{taken.getsockname()[1]}",
                       "ListenAddress=127.0.0.1:0")
        server.log("Address already in use")


def test_state_directory_of_others(call, environment, host_key):
    state = Path(environment["XDG_STATE_HOME"]) / "sallyport"
    state.mkdir(parents=True)
    state.chmod(0o777)
    run = call("-D", "-e", "-p", "0")
    assert run.returncode == 1
    assert f"State directory {state}" in run.stderr


@needs_ssh
@needs_client_key
def test_in_the_background(call, environment, host_key, tmp_path):
    pid_file, log, port = tmp_path / "pid", tmp_path / "log", free_port()
    run = call("-h", host_key, "-p", port, "-E", log, *options(f"PidFile={pid_file}"),
               cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    pid = int(pid_file.read_text())
    try:
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        command = shlex.split(re.search(r"^ +(ssh .*)$", run.stdout, re.M).group(1))
        os.kill(pid, signal.SIGHUP)
        done = subprocess.run([*command, "-F", "none", "-o", "BatchMode=yes", "true"],
                              stdin=subprocess.DEVNULL, timeout=60)
        assert done.returncode == 0
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not pid_file.exists())
    text = log.read_text()
    assert re.search(rf"^\S+Z sallyportd\[{pid}\]: Server listening on 127.0.0.1 port {port}\.$",
                     text, re.M)
    assert f"Accepted publickey for {USER}" in text


def test_pid_file_that_can_not_be(call, host_key):
    run = call("-h", host_key, "-p", "0", *options("PidFile=/nonexistent/pid"))
    assert run.returncode == 255
    assert "/nonexistent/pid" in run.stderr


@needs_ssh
@needs_client_key
def test_debugging_serves_one_connection(environment, host_key, tmp_path):
    server = Server(environment, tmp_path, ["-d", "-p", "0", "-h", host_key])
    assert server.ssh("echo one").stdout == "one\n"
    assert server.process.wait(timeout=30) == 0
    assert "debug: " in server.err.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_stop(environment, host_key, tmp_path, number):
    server = Server(environment, tmp_path, ["-p", "0", "-h", host_key])
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        assert idle.recv(200).startswith(b"SSH-2.0-Sallyport_")
        server.process.send_signal(number)
        assert server.process.wait(timeout=30) == 0
    assert "Server stopped" in server.err.read_text()


def test_standard_input(environment, host_key):
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([PROGRAM, "-i", "-e", "-h", host_key], env=environment,
                               stdin=theirs, stdout=theirs)
    theirs.close()
    assert ours.recv(200).startswith(b"SSH-2.0-Sallyport_")
    ours.close()
    assert process.wait(timeout=30) == 0


def test_standard_input_that_is_no_socket(call, host_key):
    run = call("-i", "-e", "-h", host_key)
    assert run.returncode == 255
    assert "Standard input and output are no connection" in run.stderr


def test_quiet(environment, host_key, tmp_path):
    server = Server(environment, tmp_path, ["-q", "-p", "0", "-h", host_key])
    server.stop()
    assert server.err.read_text() == ""


# ---- what the words do --------------------------------------------------------------------------

def greeting(server):
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        return s.recv(300).split(b"\r\n")[0].decode()


def test_version_addendum(serve):
    assert re.fullmatch(r"SSH-2\.0-Sallyport_[\d.]+ for a test",
                        greeting(serve("VersionAddendum for a test")))


def test_login_grace_time(serve):
    server = serve("LoginGraceTime=1")
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.settimeout(10)
        start = time.monotonic()
        while s.recv(4096):
            pass
        assert 0.8 < time.monotonic() - start < 5


def test_max_startups(serve):
    server = serve("MaxStartups=2")
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    try:
        assert idle[0].recv(20) and idle[1].recv(20)
        idle[2].settimeout(10)
        try:
            assert not idle[2].recv(20).startswith(b"SSH-")
        except ConnectionResetError:
            pass
    finally:
        for s in idle:
            s.close()


@needs_ssh
@needs_client_key
def test_environment_words(serve):
    server = serve("AcceptEnv GOOD_*", "SetEnv FIXED=mine", "SetEnv NEVER=x")
    run = server.ssh("env", more=["-o", "SetEnv GOOD_A=1 BAD_B=2 FIXED=theirs"])
    found = dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    assert found["GOOD_A"] == "1"
    assert "BAD_B" not in found and "NEVER" not in found
    assert found["FIXED"] == "mine"
    assert found["USER"] == found["LOGNAME"] == USER
    assert found["MAIL"] == f"/var/mail/{USER}"
    client = found["SSH_CONNECTION"].split()
    assert client[0] == client[2] == "127.0.0.1" and int(client[3]) == server.port
    assert found["SSH_CLIENT"] == f"127.0.0.1 {client[1]} {server.port}"
    assert "SSH_TTY" not in found and "TERM" not in found


@needs_ssh
@needs_client_key
def test_terminal_words(serve):
    run = serve().ssh("tty; echo $TERM $SSH_TTY", more=["-tt"])
    tty, term = run.stdout.splitlines()[:2]
    assert tty.startswith("/dev/pts/") and term.endswith(tty)
    run = serve("PermitTTY=no").ssh("tty", more=["-tt"])
    assert "PTY allocation request failed" in run.stderr


@needs_ssh
@needs_client_key
def test_login_shell(serve):
    run = serve().ssh(more=["-T"], given="echo $0; exit 5\n")
    assert run.returncode == 5
    assert run.stdout.splitlines()[-1].startswith("-")


@needs_ssh
@needs_client_key
def test_force_command(serve):
    server = serve('ForceCommand echo "forced: $SSH_ORIGINAL_COMMAND"',
                   "Subsystem sub echo 'not this'")
    assert server.ssh("rm -rf x").stdout == "forced: rm -rf x\n"
    assert server.ssh(more=["-T"]).stdout == "forced: \n"
    assert server.ssh("sub", more=["-s"]).stdout == "forced: echo 'not this'\n"


@needs_ssh
@needs_client_key
def test_subsystem(serve):
    server = serve("Subsystem echo echo \"a  b\" $0", "Subsystem other false")
    assert server.ssh("echo", more=["-s"]).stdout.startswith("a  b ")
    assert server.ssh("other", more=["-s"]).returncode == 1
    run = server.ssh("missing", more=["-s"])
    assert run.returncode == 255 and "subsystem request failed" in run.stderr


@needs_ssh
@needs_client_key
@pytest.mark.skipif(not os.path.exists("/usr/lib/openssh/sftp-server"), reason="no sftp-server")
def test_sftp_through_a_subsystem(serve, tmp_path):
    server = serve("Subsystem=sftp /usr/lib/openssh/sftp-server")
    source = tmp_path / "source"
    source.write_bytes(os.urandom(300000))
    words = shlex.split(server.command)
    words[0:3] = ["sftp", "-P", str(server.port)]
    words.insert(1, "-b")
    words.insert(2, "-")
    subprocess.run(words, input=f"get {source} {tmp_path}/copy\n", text=True, check=True,
                   capture_output=True, timeout=60)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@needs_ssh
@needs_client_key
def test_banner(serve, tmp_path):
    banner = tmp_path / "banner"
    banner.write_text("Mind the step.\n")
    server = serve(f"Banner={banner}")
    assert server.ssh("true").stderr == "Mind the step.\n"
    banner.write_text("Now mind the other step.\n")
    assert server.ssh("true").stderr == "Now mind the other step.\n"
    banner.unlink()
    assert server.ssh("true").returncode == 0


@needs_ssh
@needs_client_key
@pytest.mark.parametrize("lines, inside", [
    (["AllowUsers=" + USER], True),
    (["AllowUsers=*"], True),
    (["AllowUsers=someone-else"], False),
    (["AllowUsers=*@127.0.0.0/8"], True),
    (["AllowUsers=*@10.0.0.0/8"], False),
    (["AllowUsers=*@127.*"], True),
    ([f"AllowUsers=* !{USER}"], False),
    ([f"DenyUsers={USER}"], False),
    (["DenyUsers=*@127.0.0.1"], False),
    (["DenyUsers=*@192.0.2.1"], True),
    (["AllowUsers=*", "DenyUsers=" + USER], False),
    (["PubkeyAcceptedAlgorithms=rsa-sha2-512"], False),
    (["PermitRootLogin=no"], os.getuid() != 0),
    (["PermitRootLogin=forced-commands-only", "ForceCommand=true"], True),
    (["MaxSessions=0"], False),
])
def test_who_gets_in(serve, lines, inside):
    assert (serve(*lines).ssh("true").returncode == 0) == inside


@needs_ssh
@pytest.mark.parametrize("strict, mode, inside", [
    ("yes", 0o777, False), ("no", 0o777, True),
])
def test_authorized_keys_file(serve, tmp_path, strict, mode, inside):
    folder = tmp_path / "keys"
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", folder / "id"], check=True)
    keys = folder / f"{USER}.keys"
    shutil.copy(folder / "id.pub", keys)
    folder.chmod(mode)
    server = serve(f"AuthorizedKeysFile=none {folder}/%u.keys", f"StrictModes={strict}")
    own = ["-i", str(folder / "id"), "-o", "IdentitiesOnly=yes"]
    assert (server.ssh("true", more=own).returncode == 0) == inside
    if not inside:
        server.log(f"^Authentication refused: directory {folder}: bad owner or modes")
        return
    # Read again at each login; a line with an option that nobody knows is passed over.
    key = keys.read_text()
    for text, allowed in (("# none\n", False), ("no-such-option " + key, False), (key, True)):
        keys.write_text(text)
        assert (server.ssh("true", more=own).returncode == 0) == allowed


@needs_ssh
@needs_sshpass
@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_passwords(serve, password_file, method):
    server = serve("PasswordAuthentication=yes", f"PasswordFile={password_file}",
                   "StrictModes=no", "PermitRootLogin=yes")
    assert with_password(server, "correct horse", method).stdout == "in\n"
    for wrong in ("Correct horse", "correct horse ", ""):
        assert with_password(server, wrong, method).stdout == ""
    server.log(f"^Accepted {method} for {USER} from 127.0.0.1 port")
    server.log(f"^Failed {method} for {USER} from 127.0.0.1 port")


@needs_ssh
@needs_sshpass
def test_passwords_are_off_by_default(serve, password_file):
    server = serve(f"PasswordFile={password_file}", "StrictModes=no", "PermitRootLogin=yes")
    run = with_password(server, "correct horse", "password")
    assert run.stdout == ""


def test_a_password_that_can_not_be_right_is_said(serve):
    serve("PasswordAuthentication=yes", "PasswordFile=/nonexistent/hash").log(
        "none can be right: /nonexistent/hash")


def test_password_file_that_others_can_read(serve, password_file):
    password_file.chmod(0o644)
    serve("PasswordAuthentication=yes", f"PasswordFile={password_file}").log(
        "others can read or change it")


@needs_ssh
@needs_sshpass
@needs_client_key
def test_authentication_methods_key_first(serve, password_file):
    server = serve("PasswordAuthentication=yes", f"PasswordFile={password_file}",
                   "StrictModes=no", "PermitRootLogin=yes",
                   "AuthenticationMethods=publickey,password")
    assert server.ssh("true").returncode == 255
    assert with_password(server, "correct horse", "password").stdout == ""
    assert with_password(server, "wrong", "publickey,password").stdout == ""
    assert with_password(server, "correct horse", "publickey,password").stdout == "in\n"


@needs_ssh
@needs_sshpass
@needs_client_key
def test_authentication_methods(serve, password_file):
    server = serve("PasswordAuthentication=yes", f"PasswordFile={password_file}",
                   "StrictModes=no", "PermitRootLogin=yes",
                   "AuthenticationMethods=password,publickey")
    both = "password,publickey"
    assert server.ssh("true").returncode == 255
    assert with_password(server, "correct horse", "password").stdout == ""
    assert with_password(server, "wrong", both).stdout == ""
    assert with_password(server, "correct horse", both).stdout == "in\n"
    server.log(f"^Partial password for {USER}")


@needs_ssh
@needs_client_key
@pytest.mark.parametrize("line, ours, theirs", [
    ("Ciphers=aes256-ctr", [], "Ciphers=aes128-ctr"),
    ("MACs=hmac-sha2-512", ["-o", "Ciphers=aes128-ctr"], "MACs=hmac-sha2-256"),
    ("KexAlgorithms=ecdh-sha2-nistp384", [], "KexAlgorithms=curve25519-sha256"),
])
def test_algorithms_are_kept_to(serve, line, ours, theirs):
    server = serve(line)
    assert server.ssh("true", more=ours).returncode == 0
    run = server.ssh("true", more=[*ours, "-o", theirs])
    assert run.returncode == 255
    assert "no matching" in run.stderr


@needs_ssh
@needs_client_key
def test_compression(serve):
    told = serve("Compression=no").ssh("true", more=["-v", "-C"]).stderr
    assert "compression: none" in told and "zlib" not in told
    assert "compression: zlib@openssh.com" in serve().ssh("true", more=["-v", "-C"]).stderr


@needs_ssh
@needs_client_key
def test_max_auth_tries(serve, tmp_path):
    server = serve("MaxAuthTries=2")
    keys = []
    for i in range(3):
        path = tmp_path / f"wrong{i}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        keys += ["-i", str(path)]
    # The keys that are none come before the one that is.
    words = shlex.split(server.command)
    at = words.index("-i")
    words[at:at] = keys
    run = subprocess.run([*words, "-F", "none", "-o", "BatchMode=yes", "true"], text=True,
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert run.returncode == 255
    assert "Too many authentication failures" in run.stderr
