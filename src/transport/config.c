/* Compiles sp_protocol_options into the immutable sp_config that all connections of a server share:
 * defaults filled in, algorithm lists checked and turned into table pointers. */
#include "transport/config.h"

#include "transport/algorithms.h"
#include "transport/transport_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int spt_explain(int error, char *reason, size_t size, const char *format, ...)
{
    if (reason != NULL && size > 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(reason, size, format, args);
        va_end(args);
    }
    return error;
}

/* zlib@openssh.com waits for the login, zlib doesn't. */
bool spt_compression_starts(const char *name, bool authenticated)
{
    return strcmp(name, "zlib") == 0 || (authenticated && strcmp(name, "none") != 0);
}

/* Steps through a list; each name goes through `take`, which says whether it is known and may leave
 * out what nothing here can use. */
typedef bool (*take_name)(sp_config *config, spb_span name, size_t *count);

static int take_names(sp_config *config, const char *what, spb_span rest, take_name take,
                      char **text, char *reason, size_t size)
{
    spb_span name;
    spb_buffer out;
    size_t count = 0;

    spb_buffer_init(&out, &config->env, 4096);
    while (spb_name_next(&rest, &name)) {
        size_t before = count;
        if (count >= SPT_LIST_MAX) {
            spb_buffer_free(&out);
            return spt_explain(SP_EINVAL, reason, size, "too many %s names", what);
        }
        if (!take(config, name, &count)) {
            spb_buffer_free(&out);
            return spt_explain(SP_EINVAL, reason, size, "unknown %s name \"%.*s\"", what,
                               (int)(name.length < 64 ? name.length : 64), (const char *)name.data);
        }
        if (count == before)
            continue; /* known, but nothing here can use it */
        if (out.length > 0)
            spw_u8(&out, ',');
        spw_bytes(&out, name.data, name.length);
    }
    if (count == 0) {
        spb_buffer_free(&out);
        return spt_explain(SP_EINVAL, reason, size, "the list of %s names is empty", what);
    }
    *text = spw_ok(&out) ? spb_strndup(&config->env, out.data, out.length) : NULL;
    spb_buffer_free(&out);
    return *text == NULL ? spt_explain(SP_ENOMEM, reason, size, "out of memory") : 0;
}

static bool take_kex(sp_config *config, spb_span name, size_t *count)
{
    const spc_kex *k = spc_kex_find(name);
    if (k != NULL && spc_kex_available(k))
        config->kex[(*count)++] = k;
    return k != NULL;
}

static bool take_cipher(sp_config *config, spb_span name, size_t *count)
{
    const spc_cipher *c = spc_cipher_find(name);
    if (c != NULL && spc_cipher_available(c))
        config->ciphers[(*count)++] = c;
    return c != NULL;
}

static bool take_mac(sp_config *config, spb_span name, size_t *count)
{
    const spc_mac *m = spc_mac_find(name);
    if (m != NULL && spc_mac_available(m))
        config->macs[(*count)++] = m;
    return m != NULL;
}

static bool take_compression(sp_config *config, spb_span name, size_t *count)
{
    static const char *const names[] = {"none", "zlib@openssh.com", "zlib"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (spb_span_is(name, names[i]) && *count < 3) {
            config->compressions[(*count)++] = names[i];
            return true;
        }
    }
    return false;
}

static bool take_user_algorithm(sp_config *config, spb_span name, size_t *count)
{
    spt_user_algorithm found;
    if (!spt_user_algorithm_find(name, &found))
        return false;
    config->user_algorithms[(*count)++] = found;
    return true;
}

static bool take_ca_signature(sp_config *config, spb_span name, size_t *count)
{
    (void)config; /* names are all that is needed */
    if (spc_signature_find(name) == NULL)
        return false;
    (*count)++;
    return true;
}

static bool take_host_algorithm(sp_config *config, spb_span name, size_t *count)
{
    spt_host_algorithm *found = &config->host_algorithms[*count];
    if (!spt_host_algorithm_find(config, name, found))
        return false;
    *count += found->key != NULL;
    return true;
}

static void set_defaults(sp_protocol_options *o)
{
#define DEFAULT(member, value)                                                                     \
    if (o->member == 0)                                                                            \
    o->member = (value)
    DEFAULT(login_timeout_ms, 120000);
    DEFAULT(keepalive_count, 3);
    DEFAULT(rekey_bytes, (uint64_t)1 << 30);
    DEFAULT(rekey_seconds, 3600);
    DEFAULT(window_size, 2u * 1024 * 1024);
    DEFAULT(window_max, o->window_size > 64u * 1024 * 1024 ? o->window_size : 64u * 1024 * 1024);
    DEFAULT(window_budget, (size_t)128 * 1024 * 1024);
    DEFAULT(packet_size, 32768);
    DEFAULT(write_buffer_high, (size_t)1024 * 1024);
    DEFAULT(write_buffer_low, o->write_buffer_high / 4);
    DEFAULT(max_auth_attempts, 6);
    DEFAULT(max_channels, 1024);
    DEFAULT(max_sessions, 64);
#undef DEFAULT
}

static int check_numbers(const sp_protocol_options *o, char *reason, size_t size)
{
    if (o->packet_size < 1024 || o->packet_size > 65536)
        return spt_explain(SP_EINVAL, reason, size, "packet_size must be 1024 to 65536");
    if (o->window_size < o->packet_size || o->window_max < o->window_size)
        return spt_explain(
            SP_EINVAL, reason, size,
            "window_size must be at least packet_size, window_max at least window_size");
    if (o->window_budget < o->window_size)
        return spt_explain(SP_EINVAL, reason, size, "window_budget must be at least window_size");
    if (o->rekey_bytes < 16)
        return spt_explain(SP_EINVAL, reason, size, "rekey_bytes must be at least 16");
    if (o->write_buffer_low >= o->write_buffer_high)
        return spt_explain(SP_EINVAL, reason, size,
                           "write_buffer_low must be below write_buffer_high");
    return 0;
}

static int set_version(sp_config *config, const char *version, char *reason, size_t size)
{
    char text[VERSION_LINE_MAX];
    int length;

    if (version == NULL)
        length = snprintf(text, sizeof text, "SSH-2.0-Sallyport_%s", sp_version());
    else
        length = snprintf(text, sizeof text, "SSH-2.0-%s", version);
    if (length < 0 || length > VERSION_LINE_MAX - 2)
        return spt_explain(SP_EINVAL, reason, size, "the version string is too long");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e)
            return spt_explain(SP_EINVAL, reason, size,
                               "the version string may have printable ASCII only");
    }
    config->version = spb_strdup(&config->env, text);
    return config->version == NULL ? spt_explain(SP_ENOMEM, reason, size, "out of memory") : 0;
}

static int set_server_sig_algs(sp_config *config, char *reason, size_t size)
{
    spb_buffer out;

    spb_buffer_init(&out, &config->env, 4096);
    spt_config_write_sig_algs(config, NULL, &out);
    config->server_sig_algs = spw_ok(&out) ? spb_strndup(&config->env, out.data, out.length) : NULL;
    spb_buffer_free(&out);
    return config->server_sig_algs == NULL ? spt_explain(SP_ENOMEM, reason, size, "out of memory")
                                           : 0;
}

/* One list of the options: what it stands for, then what can be used of it. */
static int compile_list(sp_config *config, spt_preset preset, spt_kind kind, const char *list,
                        char **text, char *reason, size_t size)
{
    static const take_name takes[SPT_KIND_COUNT] = {
        [SPT_KIND_KEX] = take_kex,
        [SPT_KIND_KEY] = take_host_algorithm,
        [SPT_KIND_CIPHER] = take_cipher,
        [SPT_KIND_MAC] = take_mac,
        [SPT_KIND_COMPRESSION] = take_compression,
        [SPT_KIND_SIG] = take_user_algorithm,
        [SPT_KIND_CA_SIG] = take_ca_signature,
    };
    spb_buffer names;

    spb_buffer_init(&names, &config->env, 8192);
    int result = spt_list_resolve(kind, spt_preset_list(preset, kind), list, &names, reason, size);
    bool known = result == 0;
    if (known)
        result = take_names(config, spt_kind_noun(kind), (spb_span){names.data, names.length},
                            takes[kind], text, reason, size);
    if (known && result == SP_EINVAL && kind == SPT_KIND_KEY)
        (void)spt_explain(result, reason, size, "the list of %s names is empty: no host key fits",
                          spt_kind_noun(kind));
    spb_buffer_free(&names);
    return result;
}

static int compile_lists(sp_config *config, const sp_protocol_options *o, char *reason, size_t size)
{
    const struct {
        const char *list;
        char **text;
    } all[SPT_KIND_COUNT] = {
        [SPT_KIND_KEX] = {o->kex_algorithms, &config->kex_list},
        [SPT_KIND_KEY] = {o->host_key_algorithms, &config->host_key_list},
        [SPT_KIND_CIPHER] = {o->ciphers, &config->cipher_list},
        [SPT_KIND_MAC] = {o->macs, &config->mac_list},
        [SPT_KIND_COMPRESSION] = {o->compressions, &config->compression_list},
        [SPT_KIND_SIG] = {o->signature_algorithms, &config->signature_list},
        [SPT_KIND_CA_SIG] = {o->ca_signature_algorithms, &config->ca_signature_list},
    };
    spt_preset preset;
    int result = 0;

    if (!spt_preset_find(o->preset, &preset))
        return spt_explain(SP_EINVAL, reason, size, "unknown preset \"%.64s\"", o->preset);
    for (int i = 0; i < SPT_KIND_COUNT && result == 0; i++)
        result = compile_list(config, preset, (spt_kind)i, all[i].list, all[i].text, reason, size);
    return result;
}

/* Only where a group can be asked for. */
static int set_moduli(sp_config *config, const sp_protocol_options *o, char *reason, size_t size)
{
    spb_span text = {(const uint8_t *)o->moduli, o->moduli == NULL ? 0 : o->moduli_length};
    bool wanted = false;

    for (size_t i = 0; i < SPT_LIST_MAX && config->kex[i] != NULL; i++)
        wanted = wanted || spc_kex_group_exchange(config->kex[i]);
    if (!wanted)
        return 0;
    if (text.length > SPT_MODULI_TEXT_MAX)
        return spt_explain(SP_EINVAL, reason, size, "the moduli are too long");
    int result = spt_moduli_read(&config->moduli, &config->env, text);
    return result == 0 ? 0
                       : spt_explain(result, reason, size, "the moduli can't be read: %s",
                                     sp_strerror(result));
}

static int compile(sp_config *config, const sp_protocol_options *o, char *reason, size_t size)
{
    int result = check_numbers(o, reason, size);
    if (result == 0)
        result = set_version(config, o->version, reason, size);
    if (result == 0)
        result = spt_config_keys(config, o, reason, size);
    if (result == 0)
        result = compile_lists(config, o, reason, size);
    if (result == 0)
        result = set_server_sig_algs(config, reason, size);
    if (result == 0)
        result = set_moduli(config, o, reason, size);
    return result;
}

int sp_config_new(sp_config **out, const sp_protocol_options *options, char *reason,
                  size_t reason_size)
{
    spb_env env;

    *out = NULL;
    if (reason != NULL && reason_size > 0)
        reason[0] = '\0';
    if (options == NULL || options->size == 0 || options->size > sizeof *options)
        return spt_explain(SP_EINVAL, reason, reason_size, "the options were not initialised");

    /* An older caller's struct is shorter: what it lacks has its default. */
    sp_protocol_options o;
    memset(&o, 0, sizeof o);
    memcpy(&o, options, options->size);
    set_defaults(&o);

    spb_env_init(&env, &o.allocator);
    env.random = o.random;
    env.log = o.log;
    env.log_ctx = o.log_ctx;
    env.log_level = o.log_level;

    sp_config *config = spb_calloc(&env, 1, sizeof *config);
    if (config == NULL)
        return spt_explain(SP_ENOMEM, reason, reason_size, "out of memory");
    atomic_init(&config->references, 1);
    config->env = env;
    int result = compile(config, &o, reason, reason_size);
    if (result != 0) {
        sp_config_unref(config);
        return result;
    }
    /* The caller's strings and keys may go; what is left in the copy are numbers. */
    config->options = o;
    config->options.version = NULL;
    config->options.host_keys = NULL;
    config->options.host_certificates = NULL;
    config->options.further_host_keys = NULL;
    config->options.kex_algorithms = NULL;
    config->options.host_key_algorithms = NULL;
    config->options.ciphers = NULL;
    config->options.macs = NULL;
    config->options.compressions = NULL;
    config->options.signature_algorithms = NULL;
    config->options.ca_signature_algorithms = NULL;
    config->options.preset = NULL;
    config->options.moduli = NULL;
    *out = config;
    return 0;
}

uint64_t spt_config_wall_clock(const sp_config *config)
{
    const sp_protocol_options *o = &config->options;
    int64_t now = o->wall_clock != NULL ? o->wall_clock(o->wall_clock_ctx) : (int64_t)time(NULL);

    return now > 0 ? (uint64_t)now : 0;
}

sp_config *sp_config_ref(sp_config *config)
{
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void sp_config_unref(sp_config *config)
{
    if (config == NULL ||
        atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
        return;
    spb_env env = config->env;
    spt_config_keys_free(config);
    spb_free(&env, config->version);
    spb_free(&env, config->kex_list);
    spb_free(&env, config->host_key_list);
    spb_free(&env, config->cipher_list);
    spb_free(&env, config->mac_list);
    spb_free(&env, config->compression_list);
    spb_free(&env, config->signature_list);
    spb_free(&env, config->ca_signature_list);
    spb_free(&env, config->server_sig_algs);
    spt_moduli_free(&config->moduli, &env);
    spb_free(&env, config);
}
