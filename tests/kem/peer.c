/* kem_peer: the library's encapsulation, for implementations of others to try. Reads lines "mlkem
 * HEX" and "sntrup HEX" with a public key each; answers "CIPHERTEXT SECRET" in hex, or "refused".
 */
#include "crypto/mlkem.h"
#include "crypto/sntrup761.h"

#include <stdio.h>
#include <string.h>

static int digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

static size_t read_hex(const char *hex, uint8_t *out, size_t room)
{
    size_t n = 0;
    for (; n < room && digit(hex[2 * n]) >= 0 && digit(hex[2 * n + 1]) >= 0; n++)
        out[n] = (uint8_t)(digit(hex[2 * n]) << 4 | digit(hex[2 * n + 1]));
    return n;
}

static void print_hex(const uint8_t *data, size_t length, char end)
{
    for (size_t i = 0; i < length; i++)
        printf("%02x", data[i]);
    putchar(end);
}

int main(void)
{
    static char line[8192];
    uint8_t key[SPC_MLKEM_KEY + 1], ciphertext[SPC_MLKEM_CIPHERTEXT], secret[SPC_MLKEM_SECRET];
    spb_env env;

    spb_env_init(&env, NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        bool mlkem = strncmp(line, "mlkem ", 6) == 0, good = false;
        size_t length = read_hex(line + (mlkem ? 6 : 7), key, sizeof key);
        if (mlkem && length == SPC_MLKEM_KEY)
            good = spc_mlkem_encapsulate(&env, key, ciphertext, secret);
        else if (!mlkem && length == SPC_SNTRUP_KEY)
            good = spc_sntrup_encapsulate(&env, key, ciphertext, secret);
        if (good) {
            print_hex(ciphertext, mlkem ? SPC_MLKEM_CIPHERTEXT : SPC_SNTRUP_CIPHERTEXT, ' ');
            print_hex(secret, sizeof secret, '\n');
        } else {
            puts("refused");
        }
        (void)fflush(stdout);
    }
    return 0;
}
