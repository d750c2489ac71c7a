/* What the transport's own files share. */
#ifndef SPT_TRANSPORT_INTERNAL_H
#define SPT_TRANSPORT_INTERNAL_H

#include "transport/compress.h"
#include "transport/computation.h"
#include "transport/messages.h"
#include "transport/transport_engine.h"

#define VERSION_LINE_MAX 255                /* RFC 4253 4.2, with CR LF */
#define PACKET_HEAD 5                       /* packet_length and padding_length */
#define PACKET_MIN 16                       /* RFC 4253 6 */
#define PACKET_LIMIT_UNAUTHENTICATED 35000u /* what 6.1 says everyone must take */
#define PACKET_SLACK 1024u                  /* around the largest channel data */
#define INPUT_BUDGET_UNAUTHENTICATED ((uint64_t)1024 * 1024)
#define KEX_BUDGET_UNAUTHENTICATED 8
#define OUTPUT_DATA_MARK ((size_t)512 * 1024)  /* bulk data waits above this */
#define OUTPUT_HIGH_MARK ((size_t)1024 * 1024) /* input waits above this */
#define OUTPUT_SMALL_CHUNK ((size_t)4096)
#define HELD_LIMIT ((size_t)1024 * 1024)
#define REKEY_PACKETS ((uint32_t)1 << 31)
#define SESSION_ID_MAX SPC_HASH_MAX
#define SIGN_TIMEOUT_MS ((uint64_t)120000) /* for a signature that others make, after login */

/* One direction's protection and its counters. */
typedef struct spt_direction {
    spc_protection *protection; /* NULL before the first NEWKEYS */
    spt_compressor *compressor; /* NULL: none, or not yet */
    uint32_t sequence;
    uint32_t packets; /* under these keys */
    uint64_t bytes;   /* under these keys */
    const spc_cipher *cipher;
    const spc_mac *mac;
    const char *compression;
} spt_direction;

typedef enum kex_state {
    KEX_IDLE,             /* none runs */
    KEX_SENT,             /* our KEXINIT is out, the peer's has not come */
    KEX_WAIT_GEX_REQUEST, /* both are known: a group must be asked for */
    KEX_WAIT_GEX_INIT,    /* it was sent: the client's value must come */
    KEX_WAIT_INIT,        /* both are known: the method's message must come */
    KEX_WAIT_COMPUTATION, /* the secret is being worked out elsewhere */
    KEX_WAIT_SIGN,        /* the exchange hash is being signed */
    KEX_WAIT_NEWKEYS,     /* our NEWKEYS is out */
} kex_state;

/* Lives while an exchange runs. */
typedef struct spt_kex {
    spb_buffer ours; /* KEXINIT payloads, with the message number */
    spb_buffer theirs;
    const spc_kex *method;
    const spt_host_algorithm *host;
    const spc_cipher *cipher_in, *cipher_out;
    const spc_mac *mac_in, *mac_out;
    const char *compression_in, *compression_out;
    bool skip_guess;
    uint32_t gex_least, gex_wanted, gex_most;
    const spt_modulus *modulus; /* NULL: no group exchange */
    sp_computation *computation;
    spb_buffer secret; /* K as it goes into hashes */
    uint8_t hash[SPC_HASH_MAX];
    spc_protection *protection_in; /* ready for the peer's NEWKEYS */
    uint64_t question;             /* open in this state */
    uint64_t sign_deadline;
    bool sign_asked, computation_asked;
} spt_kex;

typedef struct spt_chunk {
    struct spt_chunk *next;
    uint8_t *data;
    size_t start, end, capacity;
    bool pooled;
} spt_chunk;

struct spt_transport {
    sp_config *config;
    sp_limits limits;
    sp_pool *pool;
    uint64_t now;
    uint64_t last_received;
    uint64_t received_total;

    char *peer_version; /* without CR LF */
    uint8_t session_id[SESSION_ID_MAX];
    uint8_t session_id_length;
    bool strict, wants_ext_info;
    bool first_kex_done; /* both directions run under keys */
    bool ext_info_due;
    bool ext_info_in_auth; /* the client takes another one */
    bool service_granted;
    bool authenticated;
    bool writable;
    bool event_keys, event_keys_first;

    kex_state kex_state;
    uint8_t kex_count; /* until authenticated */
    spt_kex *kex;
    const char *kex_name;
    const spt_host_algorithm *host;  /* of the last exchange */
    spb_span first_host_key;         /* of the first one */
    bool rsa_sha2_512, rsa_sha2_256; /* offered by the client */
    uint64_t keys_at;                /* when the last exchange ended */
    uint64_t question_counter;

    spt_direction in, out;

    uint8_t *input; /* bytes input_start .. input_end */
    size_t input_start, input_end, input_capacity;
    bool input_pooled;
    uint32_t packet_length; /* of the packet being waited for; 0: not known */

    spt_chunk *output_first, *output_last;
    size_t output_length;
    uint8_t padding[64]; /* random, each byte is used once */
    uint8_t padding_left;
    spb_buffer message; /* being written, with room for the packet head */
    spb_buffer held;    /* uint32 length + message, waiting for the exchange's end */
    spb_buffer inflated;

    char *debug_text, *debug_language;
    sp_conn_error *error; /* NULL, or &failure */
    sp_conn_error failure;
    char *failure_text;
};

/* input.c, version.c */
int spt_read_version(spt_transport *t);
void spt_input_discard(spt_transport *t);
/* output.c */
int spt_output_bytes(spt_transport *t, const void *data, size_t length);
int spt_flush_held(spt_transport *t);
/* kexinit.c */
int spt_kex_start(spt_transport *t);
int spt_kexinit_received(spt_transport *t, spb_reader *r);
/* kex.c */
int spt_kex_init_received(spt_transport *t, spb_reader *r);
int spt_newkeys_received(spt_transport *t);
void spt_kex_free(spt_transport *t);
/* gex.c */
int spt_gex_request_received(spt_transport *t, spb_reader *r);
void spt_gex_write_group(const spt_modulus *modulus, spb_buffer *b); /* p and g */
/* Nothing is read: the transport waits for an answer. */
static inline bool spt_input_waits(const spt_transport *t)
{
    return t->kex_state == KEX_WAIT_SIGN || t->kex_state == KEX_WAIT_COMPUTATION;
}
/* keys.c: one key of RFC 4253 7.2, `letter` 'A' to 'F'. */
bool spt_derive(const spt_transport *t, char letter, uint8_t *out, size_t length);
/* generic.c */
int spt_send_ext_info(spt_transport *t);
/* compress.c */
bool spt_compression_starts(const char *name, bool authenticated);

#endif
