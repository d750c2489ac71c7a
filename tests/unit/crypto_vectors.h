/* Known-answer vectors in Wycheproof's JSON, when they are there: SALLYPORT_VECTORS names their
 * folder, else ../shared/vectors beside the source. Python turns a file into lines of fields; a
 * test without the files or without Python is skipped. */
#ifndef CRYPTO_VECTORS_H
#define CRYPTO_VECTORS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VECTOR_FIELDS 5
typedef struct vector_bytes {
    unsigned char data[8192];
    size_t length;
} vector_bytes;

/* Lines: result, then hex fields; "-" is empty. Their order, by kind:
 *   x25519        private, public, shared
 *   ed25519       public key, message, signature
 *   ecdsa         point, message, r, s (signatures that are not strict DER around two integers have
 *                 no form in SSH and are left out)
 *   mlkem-keygen  seed (d, z), encapsulation key, decapsulation key
 *   mlkem-encaps  m, encapsulation key, ciphertext, K
 *   mlkem         seed, encapsulation key, ciphertext, K: decapsulation
 *   aesgcm        key, iv, plain text, cipher text, tag (96-bit iv, 128-bit tag, no further data)
 *   mldsa         public key, message, context, signature
 *   rsa           modulus, exponent, message, signature */
static const char vector_script[] =
    "import json, sys\n"
    "kind, path = sys.argv[1:]\n"
    "def der(b):\n"
    "    def item(b, tag):\n"
    "        assert b[0] == tag\n"
    "        n, at = b[1], 2\n"
    "        if n == 0x81:\n"
    "            n, at = b[2], 3\n"
    "            assert n >= 128\n"
    "        else:\n"
    "            assert n < 128\n"
    "        assert len(b) >= at + n\n"
    "        return b[at:at + n], b[at + n:]\n"
    "    try:\n"
    "        body, rest = item(b, 0x30)\n"
    "        r, more = item(body, 2)\n"
    "        s, end = item(more, 2)\n"
    "        return None if rest or end else [r.hex(), s.hex()]\n"
    "    except (AssertionError, IndexError):\n"
    "        return None\n"
    "for g in json.load(open(path))[\"testGroups\"]:\n"
    "    for t in g[\"tests\"]:\n"
    "        if kind == \"x25519\":\n"
    "            f = [t[\"private\"], t[\"public\"], t[\"shared\"]]\n"
    "        elif kind == \"ed25519\":\n"
    "            f = [g[\"publicKey\"][\"pk\"], t[\"msg\"], t[\"sig\"]]\n"
    "        elif kind == \"ecdsa\":\n"
    "            d = der(bytes.fromhex(t[\"sig\"]))\n"
    "            if d is None:\n"
    "                continue\n"
    "            f = [g[\"publicKey\"][\"uncompressed\"], t[\"msg\"]] + d\n"
    "        elif kind.startswith(\"mlkem\"):\n"
    "            names = {\"mlkem-keygen\": [\"seed\", \"ek\", \"dk\"],\n"
    "                     \"mlkem-encaps\": [\"m\", \"ek\", \"c\", \"K\"],\n"
    "                     \"mlkem\": [\"seed\", \"ek\", \"c\", \"K\"]}\n"
    "            f = [t.get(n, \"\") for n in names[kind]]\n"
    "        elif kind == \"aesgcm\":\n"
    "            if (g[\"ivSize\"], g[\"tagSize\"], t[\"aad\"]) != (96, 128, \"\"):\n"
    "                continue\n"
    "            f = [t[n] for n in [\"key\", \"iv\", \"msg\", \"ct\", \"tag\"]]\n"
    "        elif kind == \"mldsa\":\n"
    "            f = [g[\"publicKey\"], t[\"msg\"], t.get(\"ctx\", \"\"), t[\"sig\"]]\n"
    "        else:\n"
    "            k = g[\"publicKey\"]\n"
    "            f = [k[\"modulus\"], k[\"publicExponent\"], t[\"msg\"], t[\"sig\"]]\n"
    "        print(t[\"result\"], *[x or \"-\" for x in f])\n";

/* NULL: no vectors here. */
static FILE *vectors_open(const char *kind, const char *file)
{
    char path[1024];
    char command[sizeof vector_script + 2048];
    const char *folder = getenv("SALLYPORT_VECTORS");
    const char *slash = strrchr(__FILE__, '/');

    if (folder != NULL)
        (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    else
        (void)snprintf(path, sizeof path, "%.*s/../../../shared/vectors/%s",
                       slash == NULL ? 1 : (int)(slash - __FILE__), slash == NULL ? "." : __FILE__,
                       file);
    if (access(path, R_OK) != 0 || system("python3 -c pass >/dev/null 2>&1") != 0)
        return NULL;
    (void)snprintf(command, sizeof command, "python3 -c '%s' %s '%s'", vector_script, kind, path);
    return popen(command, "r");
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

static size_t hex_bytes(const char *hex, unsigned char *out, size_t room)
{
    size_t n = 0;

    while (n < room && hex_digit(hex[2 * n]) >= 0 && hex_digit(hex[2 * n + 1]) >= 0) {
        out[n] = (unsigned char)(hex_digit(hex[2 * n]) << 4 | hex_digit(hex[2 * n + 1]));
        n++;
    }
    return n;
}

/* The next line; false at the end. */
static int vectors_next(FILE *f, char result[16], vector_bytes fields[VECTOR_FIELDS])
{
    static char line[1 << 16];
    char *at = NULL;

    if (fgets(line, sizeof line, f) == NULL)
        return 0;
    (void)snprintf(result, 16, "%.15s", strtok_r(line, " \n", &at));
    for (size_t i = 0; i < VECTOR_FIELDS; i++) {
        const char *hex = strtok_r(NULL, " \n", &at);
        fields[i].length = hex == NULL ? 0 : hex_bytes(hex, fields[i].data, sizeof fields[i].data);
    }
    return 1;
}

#endif
