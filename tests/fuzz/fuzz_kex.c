/* Fuzzer: the client's message of each key exchange method, after a good KEXINIT. The first byte
 * picks the method; the second says whether the value has the method's size or the input's. What
 * comes behind is the public value. */
#include "../engine/support/client.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sp_key *host_key;

static const spc_kex *method(uint8_t index)
{
    size_t count = 0;
    while (spc_kex_at(count) != NULL)
        count++;
    return spc_kex_at(index % count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t value[SPC_KEX_PUBLIC_MAX];
    test_client c;
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    spb_buffer b;

    if (size < 2)
        return 0;
    if (host_key == NULL && sp_key_generate(&host_key, SP_KEY_ED25519, 0) != 0)
        abort();
    const spc_kex *kex = method(data[0]);
    size_t length = size - 2 < sizeof value ? size - 2 : sizeof value;
    memset(value, 0, sizeof value);
    memcpy(value, data + 2, length);
    if (data[1] % 2 == 1)
        length = kex->client_public_max;
    o.host_keys = &host_key;
    o.host_key_count = 1;
    client_init(&c);
    c.kex_names = kex->name;
    client_start(&c, &o);
    client_version(&c);
    client_kexinit(&c);
    client_take_kexinit(&c);
    client_buffer(&c, &b);
    spw_string(&b, value, length);
    client_send_buffer(&c, SSH_MSG_KEX_ECDH_INIT, &b);
    bool replied = client_expect(&c, SSH_MSG_KEX_ECDH_REPLY);
    /* A value of another size has no answer. */
    if (replied && (length < kex->client_public_min || length > kex->client_public_max))
        abort();
    client_free(&c);
    return 0;
}
