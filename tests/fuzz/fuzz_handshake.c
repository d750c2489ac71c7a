/* Fuzzer: raw bytes from a client that has just connected: version line, plain packets, KEXINIT. */
#include <sallyport.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sp_config *config;

static void set_up(void)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    sp_key *key;

    if (sp_key_generate(&key, SP_KEY_ED25519, 0) != 0)
        abort();
    o.host_keys = &key;
    o.host_key_count = 1;
    o.preset = "compatible"; /* with group exchange */
    o.compressions = "none,zlib@openssh.com,zlib";
    o.compute_elsewhere = true;
    if (sp_config_new(&config, &o, NULL, 0) != 0)
        abort();
    sp_key_unref(key);
}

/* Answers what is asked and throws the output away. */
static void pump(sp_engine *e)
{
    sp_event event;
    uint8_t signature[SP_SIGNATURE_MAX];

    while (sp_engine_next_event(e, &event) == 1) {
        size_t length = sizeof signature;
        if (event.type == SP_EVENT_SIGN) {
            if (sp_key_sign(event.u.sign.key, event.u.sign.algorithm, event.u.sign.data,
                            event.u.sign.length, signature, &length) != 0)
                abort();
            if (sp_engine_answer_sign(e, event.question, signature, length) != 0)
                abort();
        }
        if (event.type == SP_EVENT_COMPUTE) {
            sp_computation_run(event.u.compute.computation);
            if (sp_engine_answer_computation(e, event.question) != 0)
                abort();
        }
        /* Nothing above the transport is reached without keys. */
        if (event.type >= SP_EVENT_AUTH_BEGIN && event.type <= SP_EVENT_CHANNEL_CLOSED)
            abort();
        sp_engine_consumed(e, sp_engine_output_length(e));
    }
    sp_engine_consumed(e, sp_engine_output_length(e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sp_engine *e;

    if (config == NULL)
        set_up();
    if (sp_engine_new(&e, config, NULL, 1) != 0)
        return 0;
    pump(e);
    /* The first byte says in what pieces the rest arrives. */
    size_t piece = size == 0 || data[0] == 0 ? SIZE_MAX : data[0];
    for (size_t at = size == 0 ? 0 : 1; at < size;) {
        size_t step = size - at < piece ? size - at : piece;
        int n = sp_engine_receive(e, data + at, step);
        if (n <= 0)
            break;
        at += (size_t)n;
        pump(e);
    }
    sp_engine_input_ended(e, 0, NULL);
    pump(e);
    sp_engine_free(e);
    return 0;
}
