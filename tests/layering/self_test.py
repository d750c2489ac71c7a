#!/usr/bin/python3
"""The layering check must find each kind of offence: small trees with one each."""
import os
import subprocess
import sys
import tempfile

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check.py")
GOOD = {"src/base/a.h": "", "src/crypto/a.c": '#include "base/a.h"\n#include <openssl/evp.h>\n',
        "src/loop/a.c": "#include <uv.h>\n", "sallyportd/a.c": "#include <sallyport.h>\n",
        "include/sallyport.h": "#include <sallyport/x.h>\n"}
BAD = [
    ("is below", {"src/base/b.c": '#include "crypto/a.h"\n'}),
    ("is below", {"src/base/deep/b.c": '#include "server/a.h"\n'}),
    ("with its room", {"src/base/b.c": "#include <crypto/a.h>\n"}),
    ("with its room", {"src/base/b.c": '#include "../crypto/a.h"\n'}),
    ("is not public", {"examples/b.c": "#include <base/a.h>\n"}),
    ("is not public", {"sallyportd/deep/b.c": "#include <../src/base/a.h>\n"}),
    ("is not public", {"include/b.h": "#include <base/a.h>\n"}),
    ("belongs to src/loop", {"examples/b.c": "#include <uv.h>\n"}),
    ("belongs to src/crypto", {"include/b.h": "#include <openssl/evp.h>\n"}),
    ("belongs to src/crypto", {"src/key/b.c": "#include <openssl/evp.h>\n"}),
    ("belongs to src/loop", {"src/server/b.c": "#include <uv.h>\n"}),
    ("belongs to src/auth", {"src/base/b.c": "#include <stringprep.h>\n"}),
    ("belongs to src/editor", {"src/server/b.c": "#include <utf8proc.h>\n"}),
    ("is below", {"src/editor/b.c": '#include "server/a.h"\n'}),
    ("is not public", {"sallyportd/b.c": '#include "base/a.h"\n'}),
    ("unknown room", {"src/cellar/b.c": ""}),
    ("split it", {"src/base/b.c": "\n" * 900}),
    ("with its room", {"src/base/b.c": '#include "a.h"\n'}),
    ("include with <>", {"include/b.h": '#include "x.h"\n'}),
]


def run(files):
    with tempfile.TemporaryDirectory() as tree:
        for name, text in files.items():
            path = os.path.join(tree, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        done = subprocess.run([sys.executable, CHECK, tree], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout + done.stderr


def main():
    status, output = run(GOOD)
    if status != 0:
        print("a good tree was refused:", output)
        return 1
    for words, files in BAD:
        status, output = run({**GOOD, **files})
        if status == 0 or words not in output:
            print(f"not found: {words}: {output}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
