"""Clients that move files: OpenSSH's sftp and scp, PuTTY's psftp and pscp, lftp, curl, sshfs, rsync,
Paramiko, AsyncSSH and libssh. Each sends and fetches single files and folders, and resumes where it
can. `keeps_up` and `keeps_down` say what it carries besides bytes."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import warnings

from servers import PATIENCE, Program, Sallyportd, built, parse_json

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh
    import paramiko

SSH_OPTIONS = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
               "-o", "LogLevel=ERROR", "-o", "IdentityAgent=none"]
BOTH = {"mtime", "mode"}
MOST = 1200  # seconds for one run of a client with the largest files


class TransferServer(Program):
    """SFTP and scp on a folder; `before` is put before its command line."""

    parse = staticmethod(parse_json)

    def __init__(self, root, *options, before=()):
        super().__init__([*before, built("tools", "transfer_server"), str(root), *options])
        line = self.wait("text")["text"]
        self.port = int(re.search(r":(\d+)$", line).group(1))

    def wait(self, name, start=0, **fields):
        return self.out.wait(
            lambda e: e.get("event") == name and all(e.get(k) == v for k, v in fields.items()),
            start=start)

    def mark(self):
        with self.out.condition:
            return len(self.out.items)

    def close(self):
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        assert code == 0, f"transfer_server ended with {code}"


class Failed(Exception):
    """A client's exit status was not 0."""


def run(arguments, text=None, ok=True, **more):
    environment = {**os.environ, **more.pop("env", {}), "SSH_AUTH_SOCK": ""}
    done = subprocess.run([str(a) for a in arguments], input=text, capture_output=True, text=True,
                          timeout=max(MOST, PATIENCE * 5), env=environment, check=False, **more)
    if ok and done.returncode != 0:
        raise Failed(f"{arguments[0]}: {done.returncode}\n{done.stdout[-2000:]}\n"
                     f"{done.stderr[-2000:]}")
    return done


def with_asyncssh(port, work):
    """What work(an SFTP client) returns."""
    async def connected():
        async with asyncssh.connect("127.0.0.1", port, username="user", known_hosts=None,
                                    client_keys=None, config=None, agent_path=None) as there:
            async with there.start_sftp_client() as client:
                return await work(client)

    return asyncio.run(asyncio.wait_for(connected(), max(MOST, PATIENCE * 5)))


class Client:
    name = ""
    program = None  # that must be installed
    keeps_up = keeps_down = BOTH
    resumes = False
    sends_empty = True

    def __init__(self, keys, root, home):
        self.keys, self.root, self.home = keys, root, home
        self.server = self.start()

    @classmethod
    def lacks(cls):
        """Why it can't be used here, or None."""
        if cls.program and not shutil.which(cls.program):
            return f"no {cls.program}"
        return None

    def start(self):
        return TransferServer(self.root)

    def close(self):
        self.server.close()

    @property
    def port(self):
        return self.server.port

    def fingerprint(self):
        """As PuTTY's programs want it."""
        scanned = self.home / "scanned"
        scanned.write_text(run(["ssh-keyscan", "-p", self.port, "127.0.0.1"]).stdout)
        return run(["ssh-keygen", "-lf", scanned]).stdout.split()[1]


class OpensshSftp(Client):
    name = "sftp"
    program = "sftp"
    resumes = True

    def orders(self, lines):
        return run(["sftp", *SSH_OPTIONS, "-q", "-P", self.port, "-b", "-", "user@127.0.0.1"],
                   "\n".join(lines) + "\n")

    def send(self, pairs):
        self.orders([f"put -p {a} {b}" for a, b in pairs])

    def fetch(self, pairs):
        self.orders([f"get -p {a} {b}" for a, b in pairs])

    def send_folder(self, folder, name):
        self.orders([f"put -pR {folder} {name}"])

    def fetch_folder(self, name, folder):
        self.orders([f"get -pR {name} {folder}"])

    def resume(self, local, remote, back):
        self.orders([f"reput {local} {remote}", f"reget {remote} {back}"])


class Scp(Client):
    name = "scp"
    program = "scp"
    mode = "-s"

    def scp(self, *arguments):
        run(["scp", self.mode, "-q", "-p", *SSH_OPTIONS, "-P", self.port, *arguments])

    def send(self, pairs):
        for a, b in pairs:
            self.scp(a, f"user@127.0.0.1:{b}")

    def fetch(self, pairs):
        for a, b in pairs:
            self.scp(f"user@127.0.0.1:{a}", b)

    def send_folder(self, folder, name):
        self.scp("-r", folder, f"user@127.0.0.1:{name}")

    def fetch_folder(self, name, folder):
        self.scp("-r", f"user@127.0.0.1:{name}", folder)


class ScpOld(Scp):
    name = "scp -O"
    mode = "-O"


class Psftp(Client):
    name = "psftp"
    program = "psftp"
    keeps_up = {"mode"}  # of the file that is sent
    keeps_down = set()
    resumes = True

    def orders(self, lines):
        script = self.home / "orders"
        script.write_text("\n".join(lines) + "\n")
        return run(["psftp", "-batch", "-P", self.port, "-l", "user", "-pw", "x", "-hostkey",
                    self.fingerprint(), "-b", script, "127.0.0.1"],
                   env={"HOME": str(self.home), "PUTTYDIR": str(self.home)})

    def send(self, pairs):
        self.orders([f"put {a} {b}" for a, b in pairs])

    def fetch(self, pairs):
        self.orders([f"get {a} {b}" for a, b in pairs])

    def send_folder(self, folder, name):
        self.orders([f"put -r {folder} {name}"])

    def fetch_folder(self, name, folder):
        self.orders([f"get -r {name} {folder}"])

    def resume(self, local, remote, back):
        self.orders([f"reput {local} {remote}", f"reget {remote} {back}"])


class Pscp(Client):
    name = "pscp"
    program = "pscp"
    mode = "-sftp"

    def pscp(self, *arguments):
        run(["pscp", self.mode, "-q", "-p", "-batch", "-P", self.port, "-l", "user", "-pw", "x",
             "-hostkey", self.fingerprint(), *arguments],
            env={"HOME": str(self.home), "PUTTYDIR": str(self.home)})

    def send(self, pairs):
        for a, b in pairs:
            self.pscp(a, f"127.0.0.1:{b}")

    def fetch(self, pairs):
        for a, b in pairs:
            self.pscp(f"127.0.0.1:{a}", b)

    def send_folder(self, folder, name):
        (self.root / name).mkdir()  # pscp puts a folder into one that is there
        self.pscp("-r", *sorted(folder.iterdir()), f"127.0.0.1:{name}")

    def fetch_folder(self, name, folder):
        folder.mkdir()
        self.pscp("-r", f"127.0.0.1:{name}", folder)
        for path in (folder / name).iterdir():
            path.rename(folder / path.name)
        (folder / name).rmdir()


class PscpOld(Pscp):
    name = "pscp -scp"
    mode = "-scp"


class Lftp(Client):
    name = "lftp"
    program = "lftp"
    keeps_up = {"mtime"}  # single files; folders with modes
    keeps_down = {"mtime"}
    resumes = True

    def orders(self, lines):
        program = "ssh -a -x " + " ".join(SSH_OPTIONS)
        before = [
            f'set sftp:connect-program "{program}"', "set cmd:fail-exit yes",
            "set net:max-retries 2", "set net:timeout 60", "set xfer:clobber yes",
            f"open -u user,x sftp://127.0.0.1:{self.port}",
        ]
        return run(["lftp", "-f", "/dev/stdin"], "\n".join([*before, *lines, "bye"]) + "\n",
                   env={"HOME": str(self.home)}, cwd=self.home)

    def send(self, pairs):
        self.orders([f"put {a} -o {b}" for a, b in pairs])

    def fetch(self, pairs):
        self.orders([f"get {a} -o {b}" for a, b in pairs])

    def send_folder(self, folder, name):
        self.orders([f"mirror -R --parallel=2 {folder} {name}"])

    def fetch_folder(self, name, folder):
        self.orders([f"mirror --parallel=2 {name} {folder}"])

    def resume(self, local, remote, back):
        self.orders([f"put -c {local} -o {remote}", f"get -c {remote} -o {back}"])


class Curl(Client):
    """On libssh2."""

    name = "curl sftp"
    program = "curl"
    scheme = "sftp"
    keeps_up = set()
    keeps_down = {"mtime"}
    resumes = True

    @classmethod
    def lacks(cls):
        if not shutil.which("curl"):
            return "no curl"
        words = run(["curl", "-V"]).stdout.split()
        return None if cls.scheme in words else f"this curl has no {cls.scheme}"

    def transfers(self, lines):
        """Each of several transfers on one connection."""
        config = self.home / "curl"
        common = 'insecure\nuser = "user:x"\nsilent\nshow-error\nfail-early\nremote-time\n'
        config.write_text("next\n".join(common + line for line in lines))
        run(["curl", "-K", config])

    def url(self, name):
        return f'url = "{self.scheme}://127.0.0.1:{self.port}/{name}"\n'

    def send(self, pairs):
        self.transfers([self.url(b) + f'upload-file = "{a}"\n' for a, b in pairs])

    def fetch(self, pairs):
        self.transfers([self.url(a) + f'output = "{b}"\n' for a, b in pairs])

    def send_folder(self, folder, name):
        (self.root / name).mkdir()
        self.send([(path, f"{name}/{path.name}") for path in sorted(folder.iterdir())])

    def fetch_folder(self, name, folder):
        folder.mkdir()
        self.fetch([(f"{name}/{path.name}", folder / path.name)
                    for path in sorted((self.root / name).iterdir())])

    def resume(self, local, remote, back):
        self.transfers([self.url(remote) + f'upload-file = "{local}"\ncontinue-at = "-"\n',
                        self.url(remote) + f'output = "{back}"\ncontinue-at = "-"\n'])


class CurlScp(Curl):
    name = "curl scp"
    scheme = "scp"
    keeps_down = set()
    resumes = False
    sends_empty = False  # it takes a size of 0 for one that is not known


class Libssh(Client):
    name = "libssh"
    resumes = True

    @classmethod
    def lacks(cls):
        program = built("tools", "client_libssh_sftp")
        return None if os.path.exists(program) else "client_libssh_sftp was not built"

    def orders(self, lines, ok=True):
        text = "".join("\t".join(map(str, line)) + "\n" for line in lines)
        done = run([built("tools", "client_libssh_sftp"), "--port", self.port], text, ok=ok)
        return [parse_json(line) for line in done.stdout.splitlines()]

    def send(self, pairs):
        self.orders([("put", *pair) for pair in pairs])

    def fetch(self, pairs):
        self.orders([("get", *pair) for pair in pairs])

    def send_folder(self, folder, name):
        self.orders([("mkdir", name), *(("put", path, f"{name}/{path.name}")
                                        for path in sorted(folder.iterdir()))])

    def fetch_folder(self, name, folder):
        folder.mkdir()
        self.fetch([(f"{name}/{path.name}", folder / path.name)
                    for path in sorted((self.root / name).iterdir())])

    def resume(self, local, remote, back):
        self.orders([("reput", local, remote), ("reget", remote, back)])


class Paramiko(Client):
    name = "paramiko"
    resumes = True

    def with_client(self, work):
        transport = paramiko.Transport(("127.0.0.1", self.port))
        try:
            transport.start_client(timeout=PATIENCE)
            transport.auth_none("user")
            return work(paramiko.SFTPClient.from_transport(transport))
        finally:
            transport.close()

    def send(self, pairs):
        def work(client):
            for a, b in pairs:
                client.put(str(a), str(b))
                status = os.stat(a)
                client.chmod(str(b), status.st_mode & 0o7777)
                client.utime(str(b), (status.st_atime, status.st_mtime))

        self.with_client(work)

    def fetch(self, pairs):
        def work(client):
            for a, b in pairs:
                client.get(str(a), str(b))
                status = client.stat(str(a))
                os.chmod(b, status.st_mode & 0o7777)
                os.utime(b, (status.st_atime, status.st_mtime))

        self.with_client(work)

    def send_folder(self, folder, name):
        self.with_client(lambda client: client.mkdir(name))
        self.send([(path, f"{name}/{path.name}") for path in sorted(folder.iterdir())])

    def fetch_folder(self, name, folder):
        folder.mkdir()
        names = self.with_client(lambda client: client.listdir(name))
        self.fetch([(f"{name}/{one}", folder / one) for one in names])

    def resume(self, local, remote, back):
        def work(client):
            whole = local.read_bytes()
            with client.open(remote, "a") as file:
                file.write(whole[client.stat(remote).st_size:])
            with client.open(remote) as file, open(back, "ab") as out:
                file.seek(out.tell())
                shutil.copyfileobj(file, out)

        self.with_client(work)


class Asyncssh(Client):
    name = "asyncssh"
    resumes = True

    def with_client(self, work):
        return with_asyncssh(self.port, work)

    def send(self, pairs):
        async def work(client):
            for a, b in pairs:
                await client.put(str(a), str(b), preserve=True)

        self.with_client(work)

    def fetch(self, pairs):
        async def work(client):
            for a, b in pairs:
                await client.get(str(a), str(b), preserve=True)

        self.with_client(work)

    def send_folder(self, folder, name):
        self.with_client(lambda client: client.put(str(folder), name, preserve=True, recurse=True))

    def fetch_folder(self, name, folder):
        self.with_client(lambda client: client.get(name, str(folder), preserve=True, recurse=True))

    def resume(self, local, remote, back):
        async def work(client):
            whole = local.read_bytes()
            size = (await client.stat(remote)).size
            async with client.open(remote, "r+b") as file:
                await file.write(whole[size:], size)
            async with client.open(remote, "rb") as file:
                with open(back, "ab") as out:
                    out.write(await file.read(offset=out.tell()))

        self.with_client(work)


class Sshfs(Client):
    """What programs do on a folder that is mounted; `point` is where."""

    name = "sshfs"
    program = "sshfs"
    resumes = True

    @classmethod
    def lacks(cls):
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            return "no FUSE: /dev/fuse can't be used"
        return super().lacks()

    def start(self):
        server = super().start()
        self.point = self.home / "mounted"
        self.point.mkdir()
        done = run(["sshfs", "user@127.0.0.1:/", self.point, "-p", server.port, "-F", "/dev/null",
                    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
                   ok=False)
        self.why = done.stderr.strip() if done.returncode != 0 else None
        return server

    def close(self):
        if self.why is None:
            program = "fusermount3" if shutil.which("fusermount3") else "fusermount"
            run([program, "-u", self.point])
        super().close()

    def send(self, pairs):
        for a, b in pairs:
            shutil.copy2(a, self.point / b)

    def fetch(self, pairs):
        for a, b in pairs:
            shutil.copy2(self.point / a, b)

    def send_folder(self, folder, name):
        shutil.copytree(folder, self.point / name)

    def fetch_folder(self, name, folder):
        shutil.copytree(self.point / name, folder)

    def resume(self, local, remote, back):
        whole = local.read_bytes()
        with open(self.point / remote, "ab") as file:
            file.write(whole[file.tell():])
        with open(back, "ab") as out, open(self.point / remote, "rb") as file:
            file.seek(out.tell())
            shutil.copyfileobj(file, out)


class Rsync(Client):
    """Its own program at the far end, which sallyportd starts; paths are those of this machine."""

    name = "rsync"
    program = "rsync"
    resumes = True

    def start(self):
        state = self.home / "state"
        state.mkdir(mode=0o700)
        return Sallyportd(state, "-h", self.keys.host("ed25519"), "-o", "StrictModes=no", "-o",
                          f"AuthorizedKeysFile={self.keys.authorized()}")

    def rsync(self, *arguments):
        words = ["ssh", "-i", self.keys.user(), "-oIdentitiesOnly=yes", *SSH_OPTIONS, "-p",
                 str(self.port)]
        run(["rsync", "-a", "-e", shlex.join(words), *arguments])

    def there(self, name):
        return f"127.0.0.1:{self.root}/{name}"

    def send(self, pairs):
        for a, b in pairs:
            self.rsync(a, self.there(b))

    def fetch(self, pairs):
        for a, b in pairs:
            self.rsync(self.there(a), b)

    def send_folder(self, folder, name):
        self.rsync(f"{folder}/", self.there(name) + "/")

    def fetch_folder(self, name, folder):
        self.rsync(self.there(name) + "/", f"{folder}/")

    def resume(self, local, remote, back):
        self.rsync("--append-verify", local, self.there(remote))
        self.rsync("--append-verify", self.there(remote), back)


ALL = [OpensshSftp, Scp, ScpOld, Psftp, Pscp, PscpOld, Lftp, Curl, CurlScp, Libssh, Paramiko,
       Asyncssh, Sshfs, Rsync]


def ident(kind):
    return re.sub(r"\W+", "_", kind.name)
