"""sallyportd's configuration files: syntax, Include, Match, every word of sshd_config(5), mistakes
with file and line, -C, SIGHUP; beside sshd's own reading of the same file where sshd is there."""

import os
import re
import shlex
import signal
import socket
import subprocess

import pytest

from sallyportd_tools import *  # fixtures come by their names, too


@pytest.fixture
def conf(tmp_path):
    """Writes a configuration file and returns its path."""
    folder = tmp_path / "etc"
    folder.mkdir()

    def write(text, name="config"):
        path = folder / name
        path.write_text(text)
        return path
    return write


@pytest.fixture
def printed(call):
    def run(path, *arguments):
        done = call("-T", "-f", path, *arguments)
        assert done.returncode == 0, done.stderr
        return settings(done.stdout)
    return run


# ---- syntax -------------------------------------------------------------------------------------

def test_syntax(conf, printed):
    found = printed(conf("# a comment\n\n   \t\n"
                         "Port 2201\n"
                         "\tport\t=\t2202   # behind a value\n"
                         "PORT=2203\r\n"
                         'Banner "/a file"\n'
                         "VersionAddendum two words\n"
                         "AcceptEnv A \"B\" 'C'\n"
                         "AcceptEnv D # not this\n"
                         "MaxSessions 3\n"
                         "MaxSessions 4\n"
                         "PermitTTY no"))
    assert found["port"] == ["2201", "2202", "2203"]
    assert found["banner"] == ['"/a file"']
    assert found["versionaddendum"] == ["two words"]
    assert found["acceptenv"] == ["A", "B", "C", "D"]
    assert found["maxsessions"] == ["3"]
    assert found["permittty"] == ["no"]


def test_the_command_line_comes_first(conf, printed):
    path = conf("MaxSessions 3\nPort 2201\nLogLevel ERROR\nLoginGraceTime 7\nAcceptEnv B\n"
                "AddressFamily any\n")
    found = printed(path, "-g", "9", "-4", *options("MaxSessions=5", "Port=2202", "AcceptEnv=A"))
    assert found["maxsessions"] == ["5"]
    assert found["port"] == ["2202", "2201"]
    assert found["logingracetime"] == ["9"]
    assert found["addressfamily"] == ["inet"]
    assert found["acceptenv"] == ["A", "B"]
    assert printed(path, "-p", "2203", "-p", "2204")["port"] == ["2203", "2204"]
    assert printed(path, "-q")["loglevel"] == ["QUIET"]
    assert printed(path, "-d", "-o", "LogLevel=INFO")["loglevel"] == ["DEBUG"]


def test_relative_paths_begin_at_the_start_directory(conf, call, tmp_path):
    run = call("-T", "-f", "etc/" + conf("Banner some/banner\n").name, cwd=tmp_path)
    assert settings(run.stdout)["banner"] == [f"{tmp_path}/some/banner"]


def test_no_file(call):
    assert call("-t", "-f", "none").returncode == 0
    assert call("-t", "-f", "/dev/null").returncode == 0


@needs_ssh
def test_debians_own_file(call):
    path = "/etc/ssh/sshd_config"
    if not os.path.exists(path):
        pytest.skip("no sshd_config here")
    run = call("-T", "-f", path)
    assert run.returncode == 0, run.stderr
    for line in run.stderr.splitlines():
        assert re.fullmatch(r"/etc/ssh/\S+ line \d+: \w+ is not supported: no effect", line)


# ---- mistakes -----------------------------------------------------------------------------------

@pytest.mark.parametrize("text, line, said", [
    ("Port 22\n\n# x\nNonsense yes\n", 4, "Bad configuration option: Nonsense"),
    ("Banner\n", 1, 'no argument after keyword "Banner"'),
    ("Port 22 23\n", 1, "keyword Port extra arguments at end of line"),
    ("Port x\n", 1, "bad port number 'x'"),
    ("UsePAM no\nPermitTTY maybe\n", 2, "'maybe'"),
    ('Banner "/a\n', 1, "invalid quotes"),
    ("UsePAM\n", 1, 'no argument after keyword "UsePAM"'),
    ("Include\n", 1, 'no argument after keyword "Include"'),
    ("Port 22\nMatch\n", 2, 'no argument after keyword "Match"'),
    ("Match user\n", 1, "missing criteria for user"),
    ("Match\nPermitTTY no\nPort 22\n", 1, 'no argument after keyword "Match"'),
    ("Match\nMatch all\nPermitTTY x\n", 3, "'x'"),
    ("Match bad x\nInclude /dev/null\nPermitTTY no\n", 1, "unsupported attribute 'bad'"),
    ("Match user a Port 22\n", 1, "unsupported attribute 'Port'"),
    ("Match user a all\n", 1, "'all' cannot be combined"),
    ("Match all user a\n", 1, "'all' cannot be combined"),
    ('Match user "a\n', 1, "invalid quotes"),
    ("Match address 1.2.3.4/8\n", 1, "1.2.3.4/8"),
    ("Match address 1.2.3.0/33\n", 1, "1.2.3.0/33"),
    ("Match address 10.0.0.0/8,2001:db8::1/32\n", 1, "2001:db8::1/32"),
    ("Match localaddress x/8\n", 1, "x/8"),
    ("Match localport x\n", 1, "invalid LocalPort 'x'"),
    ("Match localport 65536\n", 1, "65536"),
    ("Match user a\nPort 22\n", 2, "Directive 'Port' is not allowed within a Match block"),
    ("Match user a\nUsePAM no\n", 2, "Directive 'UsePAM' is not allowed within a Match block"),
    ("Match user a\nPermitTTY maybe\n", 2, "'maybe'"),
    ("Match user a\nNonsense x\n", 2, "Bad configuration option: Nonsense"),
    ("Subsystem a b\nSubsystem a c\n", 2, "'a' was given before"),
    ("AuthenticationMethods telepathy\n", 1, "telepathy"),
    ("Port 22\0\n", 1, "a null byte"),
    ("# " + "x" * 70000 + "\n", 1, "too long"),
])
def test_mistakes_name_file_and_line(conf, call, text, line, said):
    path = conf(text)
    run = call("-t", "-f", path)
    assert run.returncode == 255
    assert re.search(rf"^{re.escape(str(path))} line {line}: .*{re.escape(said)}", run.stderr, re.M)
    assert call("-D", "-e", "-f", path).returncode == 255


def test_all_mistakes_are_told(conf, call):
    path = conf("One x\nPort 22\nTwo x\nPermitTTY x\n")
    run = call("-t", "-f", path)
    assert [line.split(": ")[0] for line in run.stderr.splitlines()[:3]] == [
        f"{path} line {n}" for n in (1, 3, 4)]
    assert run.stderr.splitlines()[3] == f"{path}: terminating, 3 bad configuration options"


def test_files_that_can_not_be_read(call, tmp_path):
    run = call("-t", "-f", tmp_path / "nothing")
    assert (run.returncode, run.stderr) == (1, f"{tmp_path}/nothing: No such file or directory\n")
    run = call("-t", "-f", tmp_path)
    assert run.returncode == 255
    assert "Is a directory" in run.stderr


WORDS = """AcceptEnv AddressFamily AllowAgentForwarding AllowGroups AllowStreamLocalForwarding
AllowTcpForwarding AllowUsers AuthenticationMethods AuthorizedKeysCommand AuthorizedKeysCommandUser
AuthorizedKeysFile AuthorizedPrincipalsCommand AuthorizedPrincipalsCommandUser
AuthorizedPrincipalsFile Banner CASignatureAlgorithms ChannelTimeout ChrootDirectory Ciphers
ClientAliveCountMax ClientAliveInterval Compression DebianBanner DenyGroups DenyUsers
DisableForwarding ExposeAuthInfo FingerprintHash ForceCommand GatewayPorts GSSAPIAuthentication
GSSAPICleanupCredentials GSSAPIKeyExchange GSSAPIStrictAcceptorCheck GSSAPIStoreCredentialsOnRekey
GSSAPIKexAlgorithms HostbasedAcceptedAlgorithms HostbasedAuthentication
HostbasedUsesNameFromPacketOnly HostCertificate HostKey HostKeyAgent HostKeyAlgorithms IgnoreRhosts
IgnoreUserKnownHosts IPQoS KbdInteractiveAuthentication KerberosAuthentication KerberosGetAFSToken
KerberosOrLocalPasswd KerberosTicketCleanup KexAlgorithms ListenAddress LoginGraceTime LogLevel
LogVerbose MACs MaxAuthTries MaxSessions MaxStartups ModuliFile PasswordAuthentication
PermitEmptyPasswords PermitListen PermitOpen PermitRootLogin PermitTTY PermitTunnel
PermitUserEnvironment PermitUserRC PerSourceMaxStartups PerSourceNetBlockSize PidFile Port
PrintLastLog PrintMotd PubkeyAcceptedAlgorithms PubkeyAuthOptions PubkeyAuthentication RekeyLimit
RequiredRSASize RevokedKeys SecurityKeyProvider SetEnv StreamLocalBindMask StreamLocalBindUnlink
StrictModes Subsystem SyslogFacility TCPKeepAlive TrustedUserCAKeys UnusedConnectionTimeout UseDNS
UsePAM VersionAddendum X11DisplayOffset X11Forwarding X11UseLocalhost XAuthLocation""".split()

IN_MATCH = """AcceptEnv AllowAgentForwarding AllowGroups AllowStreamLocalForwarding
AllowTcpForwarding AllowUsers AuthenticationMethods AuthorizedKeysCommand AuthorizedKeysCommandUser
AuthorizedKeysFile AuthorizedPrincipalsCommand AuthorizedPrincipalsCommandUser
AuthorizedPrincipalsFile Banner CASignatureAlgorithms ChannelTimeout ChrootDirectory
ClientAliveCountMax ClientAliveInterval DenyGroups DenyUsers DisableForwarding ExposeAuthInfo
ForceCommand GatewayPorts GSSAPIAuthentication HostbasedAcceptedAlgorithms HostbasedAuthentication
HostbasedUsesNameFromPacketOnly IgnoreRhosts IPQoS KbdInteractiveAuthentication
KerberosAuthentication LogLevel MaxAuthTries MaxSessions PasswordAuthentication
PermitEmptyPasswords PermitListen PermitOpen PermitRootLogin PermitTTY PermitTunnel PermitUserRC
PubkeyAcceptedAlgorithms PubkeyAuthentication PubkeyAuthOptions RekeyLimit RevokedKeys SetEnv
StreamLocalBindMask StreamLocalBindUnlink TrustedUserCAKeys UnusedConnectionTimeout
X11DisplayOffset X11Forwarding X11UseLocalhost
""".split() + ["LogVerbose", "RequiredRSASize"]  # sshd takes these, too


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_sshd_config_is_known(conf, call, word):
    """Without a value it is a mistake, but never an unknown word."""
    path = conf(word + "\n")
    run = call("-t", "-f", path)
    assert run.returncode == 255
    assert f'{path} line 1: no argument after keyword "{word}"' in run.stderr
    path = conf(f"Match user x\n{word} no\n")
    run = call("-t", "-f", path)
    assert ("not allowed within a Match block" in run.stderr) == (word not in IN_MATCH)
    run = call("-t", "-f", conf(f"Match all\n{word} no\n"))
    assert "not allowed within a Match block" not in run.stderr


@needs_sshd
@pytest.mark.parametrize("word", WORDS)
def test_match_words_beside_sshds(conf, word):
    path = conf(f"Match user x\n{word} no\n")
    run = run_sshd("-t", "-f", str(path))
    assert ("not allowed within a Match block" in run.stderr) == (word not in IN_MATCH)


@pytest.mark.parametrize("word", ["Protocol", "UsePrivilegeSeparation", "RSAAuthentication"])
def test_deprecated_words(conf, call, word):
    path = conf(f"{word} 2\n")
    run = call("-t", "-f", path)
    assert (run.returncode, run.stderr) == (0, f"{path} line 1: Deprecated option {word}\n")


def test_what_we_lack_is_said_with_its_line(conf, call):
    path = conf("\nUsePAM yes\nMatch rdomain x\nIPQoS ef\n")
    run = call("-t", "-f", path)
    assert run.returncode == 0
    assert run.stderr.splitlines() == [
        f"{path} line 2: UsePAM is not supported: no effect",
        f"{path} line 3: Match RDomain is not supported: the block never applies",
        f"{path} line 4: IPQoS is not supported: no effect"]


# ---- Match, Include: beside sshd ----------------------------------------------------------------

LONG = """AcceptEnv A
AllowUsers a
AuthenticationMethods publickey
SetEnv A=b
PermitOpen a:1
PasswordAuthentication yes
Match user x
    PermitTTY no
    AcceptEnv B
    AllowUsers b
    AuthenticationMethods password
    SetEnv B=c
    PermitOpen b:2
Match address 192.0.2.4
    PermitTTY yes
    AcceptEnv C
    AllowUsers c
    AuthenticationMethods publickey,password
    SetEnv C=d
    PermitOpen c:2
    MaxSessions 3
    ForceCommand echo 'a b'
    Banner /c
"""

CASES = [
    ("Match user x\nPermitTTY no\n", ["addr=192.0.2.4", "user=x", "user=X", "user=xx"]),
    ("Match user X*,!Xy\nPermitTTY no\n", ["user=X", "user=Xy", "user=Xyz", "user=x"]),
    ("Match user !x\nPermitTTY no\n", ["user=x", "user=y"]),
    ("Match user !x,*\nPermitTTY no\n", ["user=x", "user=y", "user="]),
    ("Match user x,y,z*\nPermitTTY no\n", ["user=y", "user=zz", "user=x,addr=::1"]),
    ("Match User x Address 192.0.2.0/24\nPermitTTY no\n",
     ["user=x", "addr=192.0.2.4", "user=x,addr=192.0.2.4", "user=x,addr=192.0.3.4"]),
    ("Match address 10.0.0.0/8,!10.1.0.0/16,::1,2001:db8::/32\nPermitTTY no\n",
     ["addr=10.1.2.3", "addr=10.2.2.3", "addr=::1", "addr=2001:db8::7", "addr=2001:db9::7",
      "addr=0:0::1", "addr=junk", "user=x"]),
    ("Match address 10.*\nPermitTTY no\n", ["addr=10.1.2.3", "addr=11.1.2.3"]),
    ("Match address *,!10.0.0.1\nPermitTTY no\n", ["addr=10.0.0.1", "addr=10.0.0.2"]),
    ("Match localaddress 10.0.0.0/8\nPermitTTY no\n", ["laddr=10.0.0.1", "addr=10.0.0.1"]),
    ("Match localport 22\nPermitTTY no\n", ["lport=22", "lport=23", "user=x"]),
    ("Match host H*.example\nPermitTTY no\n", ["host=hx.example", "host=HX.EXAMPLE", "host=x"]),
    ("Match group root\nPermitTTY no\n", ["user=root", "user=nobody", "user=no-such-user"]),
    ("Match group *,!root\nPermitTTY no\n", ["user=root", "user=nobody", "user=no-such-user"]),
    ("Match group root,daemon\nPermitTTY no\n", ["user=root", "user=daemon", "user=nobody"]),
    ("Match user x\nPermitTTY no\nMatch all\nPermitTTY yes\nBanner /z\n",
     ["user=x", "user=y", "addr=::1"]),
    ("Match all\nMaxSessions 2\nMatch all\nMaxSessions 3\nBanner /z\n", ["user=x"]),
    ("MaxSessions 3\nMatch user x\nMaxSessions 4\nMatch all\nMaxSessions 5\nStrictModes no\n"
     "AcceptEnv Z\n", ["user=x", "user=y"]),
    ('Match user "x,y" # a comment\nPermitTTY no\n', ["user=x", "user=y"]),
    ("Match user=x address=192.0.2.4\nPermitTTY no\n", ["user=x,addr=192.0.2.4", "user=x"]),
    (LONG, ["user=x", "addr=192.0.2.4", "user=x,addr=192.0.2.4", "user=y"]),
    ("Include INC/*.conf\nMaxSessions 4\nAcceptEnv A\n", ["user=q", "user=r"]),
    ("Match user q\nInclude INC/*.conf\nMaxSessions 4\n", ["user=q", "user=r", "user=qq"]),
    ("Match user r\nInclude INC/*.conf\nMaxSessions 4\n", ["user=q", "user=r"]),
    ("Match user q\nInclude INC/all.conf\nMaxSessions 4\n", ["user=q", "user=r"]),
    ("Include INC/all.conf\nMatch user q\nMaxSessions 4\n", ["user=q", "user=r"]),
    ("Include INC/nothing INC/*.none INC/b.conf\n", ["user=q"]),
    ("Include INC/a.conf INC/a.conf\nMaxSessions 9\n", ["user=q"]),
    ("MaxSessions 8\nInclude INC/b.conf\n", ["user=q"]),
]
SAME = ["permittty", "banner", "acceptenv", "allowusers", "authenticationmethods", "setenv",
        "permitopen", "maxsessions", "forcecommand", "passwordauthentication", "strictmodes"]


@needs_sshd
@pytest.mark.parametrize("text, specs", CASES)
def test_match_beside_sshds(conf, printed, host_key, tmp_path, text, specs):
    included = tmp_path / "included"
    included.mkdir()
    (included / "a.conf").write_text("PermitTTY no\nMatch user q\nBanner /in\n")
    (included / "b.conf").write_text("MaxSessions 7\nMatch user r\nAcceptEnv R\n")
    (included / "all.conf").write_text("Match user x\nBanner /x\nMatch all\nPermitTTY no\n"
                                       "MaxSessions 6\n")
    path = conf("AcceptEnv DEFAULT\nPasswordAuthentication yes\n"
                + text.replace("INC", str(included)))
    for spec in [None, *specs]:
        more = [] if spec is None else ["-C", spec]
        ours = printed(path, *more, "-o", "MaxStartups=7")
        run = run_sshd("-T", "-f", str(path), "-h", str(host_key), *more)
        if "not in connection test specification" in run.stderr:
            continue
        assert run.returncode == 0, run.stderr
        theirs = settings(run.stdout)
        assert {w: ours.get(w) for w in SAME} == {w: theirs.get(w) for w in SAME}, spec


def test_several_connection_specs(conf, printed):
    path = conf("Match user x address ::1\nPermitTTY no\n")
    assert printed(path, "-C", "user=x", "-C", "addr=::1")["permittty"] == ["no"]


@pytest.mark.parametrize("arguments, text", [
    (["-T", "-C", "colour=red"], "Invalid test mode specification colour=red"),
    (["-T", "-C", "lport=x"], "Invalid port 'x'"),
    (["-t", "-C", "user=x"], "provided without test mode (-T)"),
])
def test_wrong_connection_specs(call, arguments, text):
    run = call(*arguments)
    assert run.returncode == 1
    assert text in run.stderr


def test_include_begins_at_the_files_folder(conf, printed):
    conf("MaxSessions 7\n", "more.conf")
    assert printed(conf("Include more.conf\n"))["maxsessions"] == ["7"]


def test_a_mistake_in_an_included_file(conf, call):
    inner = conf("Port 22\nNonsense x\n", "inner.conf")
    run = call("-t", "-f", conf("Include *.conf\n"))
    assert run.returncode == 255
    assert f"{inner} line 2: Bad configuration option: Nonsense" in run.stderr


def test_include_of_itself_ends(conf, call):
    conf("Include self.conf\n", "self.conf")
    run = call("-t", "-f", conf("Include self.conf\n"))
    assert run.returncode == 255
    assert "Too many recursive configuration includes" in run.stderr


# ---- a running server ---------------------------------------------------------------------------

@needs_ssh
@needs_client_key
def test_match_applies_to_logins(serve, conf):
    server = serve(arguments=["-f", conf(
        "SetEnv WHO=all\n"
        "MaxSessions 0\n"
        f"Match user {USER} address 127.0.0.0/8\n"
        "SetEnv WHO=me\n"
        "MaxSessions 4\n"
        "PermitTTY no\n"
        "Match user somebody-else\n"
        "SetEnv WHO=else\n")])
    assert server.ssh("echo $WHO").stdout == "me\n"
    run = server.ssh("tty", more=["-tt"])
    assert "PTY allocation request failed" in run.stderr


@needs_ssh
@needs_client_key
@pytest.mark.parametrize("block, inside", [
    ("Match localport PORT\nDenyUsers *\n", False),
    ("Match localport 1\nDenyUsers *\n", True),
    ("Match localaddress 127.0.0.1\nPubkeyAuthentication no\n", False),
    ("Match address 10.0.0.0/8\nPubkeyAuthentication no\n", True),
    ("Match all\nAuthorizedKeysFile /nonexistent\n", False),
    ("Match all\nRefuseConnection yes\n", False),
    ("Match all\nChrootDirectory /srv\n", False),
    ("Match address 10.0.0.0/8\nChrootDirectory /srv\n", True),
    ("Match user GROUP\nDenyUsers *\n", True),
    ("Match group GROUP\nDenyUsers *\n", False),
    ("DenyGroups GROUP\n", False),
    ("DenyGroups none-of-them\n", True),
    ("AllowGroups none-of-them\n", False),
    ("AllowGroups none-of-them GROUP\n", True),
    ("Match all\nAllowGroups *\n", True),
    ("Match user *\nAuthenticationMethods password\n", False),
])
def test_match_decides_about_logins(serve, conf, block, inside):
    port = free_port()
    group = subprocess.run(["id", "-gn"], text=True, check=True, capture_output=True).stdout
    name = group.strip()
    if name == USER:
        block = block.replace("user GROUP", "user no-such-user")
    text = block.replace("GROUP", name).replace("PORT", str(port))
    server = serve(arguments=["-f", conf(text), "-p", port])
    assert (server.ssh("true").returncode == 0) == inside


@needs_ssh
@needs_client_key
def test_limits_of_a_match_block(serve, conf, tmp_path):
    server = serve(arguments=["-f", conf("MaxAuthTries 20\nMatch user " + USER
                                         + "\nMaxAuthTries 2\nRekeyLimit 16K\n")])
    keys = []
    for i in range(3):
        path = tmp_path / f"wrong{i}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        keys += ["-i", str(path)]
    words = shlex.split(server.command)
    at = words.index("-i")
    run = subprocess.run([*words[:at], *keys, *words[at:], "-F", "none", "-o", "BatchMode=yes",
                          "true"], text=True, stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=60)
    assert run.returncode == 255
    assert "Too many authentication failures" in run.stderr
    run = server.ssh("head -c 500000 /dev/zero | tr '\\0' x", more=["-vv"])
    assert len(run.stdout) == 500000
    assert run.stderr.count("SSH2_MSG_KEXINIT received") > 1


@needs_ssh
@needs_client_key
def test_sessions_at_once(serve, tmp_path):
    server = serve("MaxSessions=2")
    control = ["-o", f"ControlPath={tmp_path}/control"]
    with server.popen("cat", more=[*control, "-M"]) as master:
        master.stdin.write("up\n")
        master.stdin.flush()
        assert master.stdout.readline() == "up\n"
        with server.popen("cat", more=control) as second:
            second.stdin.write("in\n")
            second.stdin.flush()
            assert second.stdout.readline() == "in\n"
            run = server.ssh("true", more=[*control, "-o", "ProxyCommand=false"])
            assert run.returncode != 0
            assert "Session open refused by peer" in run.stderr
            second.stdin.close()
            assert second.wait(timeout=30) == 0
        assert server.ssh("true", more=control).returncode == 0
        master.stdin.close()
        assert master.wait(timeout=30) == 0


@needs_ssh
@needs_client_key
def test_hang_up_reads_the_file_again(serve, conf):
    path = conf("SetEnv WHO=first\n")
    server = serve(arguments=["-f", path])
    assert server.ssh("echo $WHO").stdout == "first\n"

    path.write_text("SetEnv WHO=second\nCiphers aes128-ctr\n")
    server.process.send_signal(signal.SIGHUP)
    server.log("^Changes of these take effect at the next start: Ciphers$")
    assert server.ssh("echo $WHO").stdout == "second\n"

    path.write_text("Nonsense\nSetEnv WHO=third\n")
    server.process.send_signal(signal.SIGHUP)
    server.log("^The configuration stays as it was$")
    assert server.ssh("echo $WHO").stdout == "second\n"


@needs_ssh
@needs_client_key
def test_hang_up_while_somebody_is_logged_in(serve, conf):
    path = conf("PermitTTY no\n")
    server = serve(arguments=["-f", path])
    with server.popen("cat") as session:
        session.stdin.write("before\n")
        session.stdin.flush()
        assert session.stdout.readline() == "before\n"
        for i in range(20):
            path.write_text(f"Match all\nMaxSessions {i + 1}\n")
            server.process.send_signal(signal.SIGHUP)
        server.log("^Received SIGHUP")
        session.stdin.write("after\n")
        session.stdin.close()
        assert session.stdout.read() == "after\n"
        assert session.wait(timeout=30) == 0


def test_hang_up_opens_the_log_file_again(environment, conf, host_key, tmp_path):
    log, moved = tmp_path / "log", tmp_path / "log.1"
    server = Server(environment, tmp_path, ["-f", conf(""), "-h", host_key, "-p", 0, "-E", log])
    log.rename(moved)
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_file(log)
    assert server.stop() == 0
    assert "Server stopped" in log.read_text()
    assert "Received SIGHUP" in moved.read_text()


def test_the_service_manager_is_told(environment, conf, host_key, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        server = Server(dict(environment, NOTIFY_SOCKET=str(tmp_path / "notify")), tmp_path,
                        ["-f", conf(""), "-h", host_key, "-p", 0])
        assert manager.recv(200) == b"READY=1\nMAINPID=%d\n" % server.process.pid
        server.process.send_signal(signal.SIGHUP)
        assert manager.recv(200).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(200).startswith(b"READY=1\n")
        server.stop()
        assert manager.recv(200) == b"STOPPING=1\n"


@needs_ssh
@needs_client_key
def test_startups_by_source(serve):
    server = serve("PerSourceMaxStartups=2", "MaxStartups=50")
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
    try:
        assert idle[0].recv(20) and idle[1].recv(20)
        with socket.create_connection(("127.0.0.1", server.port)) as third:
            third.settimeout(10)
            try:
                assert third.recv(20) == b""
            except ConnectionResetError:
                pass
        server.log("past PerSourceMaxStartups")
    finally:
        for s in idle:
            s.close()
    wait_until(lambda: server.ssh("true").returncode == 0)


def test_startups_are_dropped_by_chance(serve):
    """From 1 on each has a chance of 90 of 100 and more to be dropped: of 40, some are."""
    server = serve("MaxStartups=1:90:100")
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    try:
        assert idle[0].recv(20).startswith(b"SSH-")
        server.log(r"drop connection #\d+ from \[127.0.0.1\]:\d+ on \[127.0.0.1\]:\d+ past MaxSt")
    finally:
        for s in idle:
            s.close()


# ---- -i -----------------------------------------------------------------------------------------

def inetd(environment, host_key, tmp_path, *more):
    """A server for ssh's ProxyCommand, and the words for ssh."""
    key = tmp_path / "id"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    program = [str(PROGRAM), "-i", "-E", str(tmp_path / "log"), "-h", str(host_key),
               *options(f"AuthorizedKeysFile={key}.pub", "StrictModes=no"), *map(str, more)]
    ssh = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
           "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-i", str(key)]
    return program, ssh


def run_ssh(environment, ssh, proxy, *command, given=b"", more=()):
    return subprocess.run([*ssh, "-o", "ProxyCommand=" + proxy, *more, f"{USER}@host.invalid",
                           *command], env=environment, input=given, capture_output=True,
                          timeout=60)


@needs_ssh
def test_proxy_command_on_pipes(environment, host_key, tmp_path):
    program, ssh = inetd(environment, host_key, tmp_path)
    data = os.urandom(3000000)
    run = run_ssh(environment, ssh, shlex.join(program), "cat; exit 3", given=data)
    assert (run.returncode, run.stdout, run.stderr) == (3, data, b"")
    log = (tmp_path / "log").read_text()
    assert f"Accepted publickey for {USER} from UNKNOWN port 65535" in log
    assert "Server stopped" in log


@needs_ssh
@pytest.mark.parametrize("family", ["unix", "inet"])
def test_proxy_command_on_one_socket(environment, host_key, tmp_path, family):
    """As inetd does: one socket is standard input, output and error, and the rest is ours."""
    program, ssh = inetd(environment, host_key, tmp_path)
    with socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET) as listener:
        listener.bind(str(tmp_path / "listen") if family == "unix" else ("127.0.0.1", 0))
        listener.listen(1)
        connector = (f"import socket, sys, threading, os\n"
                     f"s = socket.socket(socket.AF_{family.upper()})\n"
                     f"s.connect({listener.getsockname()!r})\n"
                     "def up():\n"
                     "    while (d := os.read(0, 65536)): s.sendall(d)\n"
                     "    s.shutdown(socket.SHUT_WR)\n"
                     "threading.Thread(target=up, daemon=True).start()\n"
                     "while (d := s.recv(65536)): os.write(1, d)\n")
        script = tmp_path / "connect.py"
        script.write_text(connector)
        client = subprocess.Popen([*ssh, "-o", f"ProxyCommand=/usr/bin/python3 {script}",
                                   f"{USER}@host.invalid", "echo $SSH_CONNECTION; cat"],
                                  env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        connection, _ = listener.accept()
        server = subprocess.Popen(program, env=environment, stdin=connection, stdout=connection,
                                  stderr=connection)
        connection.close()
        out, _ = client.communicate(b"through\n", timeout=60)
        assert client.returncode == 0
        assert out.splitlines()[1] == b"through"
        assert out.startswith(b"UNKNOWN 65535 " if family == "unix" else b"127.0.0.1 ")
        assert server.wait(timeout=30) == 0


def test_errors_do_not_reach_the_client(environment, tmp_path):
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([PROGRAM, "-i", "-h", "/nonexistent/key"], env=environment,
                               stdin=theirs, stdout=theirs, stderr=theirs)
    theirs.close()
    assert process.wait(timeout=30) == 1
    assert ours.recv(1000) == b""
    ours.close()


@needs_ssh
def test_inetd_with_a_file(environment, host_key, tmp_path, conf):
    path = conf(f"Match user {USER}\nSetEnv WHO=me\nMatch address *\nSetEnv WHO=address\n")
    program, ssh = inetd(environment, host_key, tmp_path, "-f", path)
    run = run_ssh(environment, ssh, shlex.join(program), "echo $WHO")
    assert run.stdout == b"me\n"


@needs_ssh
def test_sshds_flags_together(environment, conf, host_key, tmp_path):
    """As a service file or a test harness starts sshd."""
    port, log = free_port(), tmp_path / "log"
    path = conf(f"Port 1\nPidFile {tmp_path}/pid\nAuthorizedKeysFile /dev/null\nStrictModes no\n")
    server = Server(environment, tmp_path, ["-D", "-e", "-E", log, "-r", "-u0", "-p", port, "-h",
                                            host_key, "-o", "MaxSessions=2", "-f", path])
    assert server.port == port
    assert int((tmp_path / "pid").read_text()) == server.process.pid
    assert server.stop() == 0
    assert not (tmp_path / "pid").exists()
    assert f"Server listening on 127.0.0.1 port {port}." in log.read_text()
