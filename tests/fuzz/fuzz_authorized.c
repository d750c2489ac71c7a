/* Fuzzer: authorized_keys. An input whose first byte is even is a whole text; else it stands as
 * options before a key that is then looked for. No text may give a key more than a plain line. */
#include "key/authorized.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE                                                                                       \
    " ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKC2RcahSK4Fxe+Zxp3mtOMcQkLo6KkXv3Uq9fRJ1gpp user\n"

static sp_key *key;

static void report(void *ctx, unsigned line, const char *reason)
{
    (void)ctx;
    if (line == 0 || reason == NULL || *reason == '\0')
        abort();
}

static void ask(const spk_permissions *p, const char *host)
{
    const char *text;

    if (spk_may(p, SPK_PERMIT_NONE) || spk_may(p, SPK_PERMIT_COUNT))
        abort();
    if (!spk_may(p, SPK_PERMIT_PORT_FORWARDING) &&
        (spk_may_open(p, host, 80) || spk_may_listen(p, host, 80) || spk_may_open_path(p, host) ||
         spk_may_listen_path(p, host)))
        abort();
    for (size_t i = 0; (text = spk_environment(p, i)) != NULL; i++) {
        if (strchr(text, '=') == NULL || *text == '=')
            abort();
    }
}

static void look(const sp_authorized_keys *list)
{
    const spk_peer who = {.user = "alice", .address = "192.0.2.1", .now = 1700000000};
    spk_permissions *p, *both;
    const char *reason;
    int result = spk_authorized_find(list, key, &who, &p, &reason);

    if ((result == 0) != (p != NULL) || reason == NULL)
        abort();
    if (sp_authorized_keys_contains(list, key) && p != spk_permissions_all())
        abort(); /* what is plain is taken, with all that a plain line permits */
    if (p != NULL) {
        ask(p, "localhost");
        if (spk_permissions_intersect(&both, p, p, &reason) != 0 ||
            spk_may_open(both, "a", 1) != spk_may_open(p, "a", 1))
            abort();
        spk_permissions_unref(both);
    }
    spk_permissions_unref(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sp_authorized_keys *list;

    if (key == NULL && sp_key_parse_public(&key, LINE) != 0)
        abort();
    if (size == 0)
        return 0;
    bool options = data[0] % 2 == 1;
    size_t length = size - 1 + (options ? sizeof LINE - 1 : 0);
    char *text = malloc(length + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    if (options)
        memcpy(text + size - 1, LINE, sizeof LINE - 1);
    if (sp_authorized_keys_parse(&list, text, length, report, NULL) == 0)
        look(list);
    sp_authorized_keys_free(list);
    free(text);
    return 0;
}
