/* Fuzzer: what an ssh-agent answers: a list of keys, a signature. */
#include "key/agent_messages.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const spb_span reply = {data, size};
    sp_key **keys;
    size_t count;

    int result = spk_agent_read_list(reply, &keys, &count);
    if ((result == 0) != (keys != NULL) || count > SPK_AGENT_KEYS_MAX || result > 0)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (keys[i] == NULL || sp_key_is_private(keys[i]))
            abort();
    }
    spk_agent_free_list(keys, count);
    spb_span signature = spk_agent_read_signature(reply);
    if (signature.length > SP_SIGNATURE_MAX ||
        (signature.length > 0 &&
         (signature.data < data || signature.data + signature.length > data + size)))
        abort();
    return 0;
}
