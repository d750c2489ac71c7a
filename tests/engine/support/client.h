/* A small SSH client in memory that drives one engine: for tests that go message by message. It
 * speaks curve25519-sha256 (or Diffie-Hellman, with the exponent 1) and one cipher, takes the
 * server at its word, and keeps no I/O. */
#ifndef TEST_CLIENT_H
#define TEST_CLIENT_H

#include "base/wire.h"
#include "crypto/crypto.h"
#include "transport/messages.h"
#include <sallyport.h>

typedef struct test_client {
    spb_env env;
    sp_engine *engine;
    sp_config *config;
    sp_key *host_key;
    uint64_t now;
    /* Called for each event; NULL: client_default_event. */
    void (*on_event)(struct test_client *c, const sp_event *event);
    void *data;

    const char *kex_names; /* offered; NULL: curve25519-sha256 */
    const char *cipher;    /* NULL: aes128-gcm@openssh.com */
    const char *mac;       /* NULL: hmac-sha2-256 */
    bool strict, ext_info;
    bool guess; /* sets first_kex_packet_follows */

    spb_buffer in; /* server's bytes not yet parsed */
    bool version_seen;
    char server_version[256];
    spb_buffer our_kexinit, server_kexinit;
    bool server_kexinit_taken;
    uint8_t x25519_private[32], x25519_public[32];
    spb_buffer group; /* of a group exchange: the numbers asked for, and p and g as they came */
    uint8_t hash[64], session_id[32];
    bool have_session_id;
    spb_buffer secret;
    spc_protection *seal, *open;
    uint32_t seal_sequence, open_sequence;

    /* The last message taken with client_receive. */
    uint8_t message;
    spb_buffer payload; /* behind the number */

    /* What client_default_event has seen. */
    unsigned events[64]; /* by sp_event_type */
    uint64_t last_question;
    uint32_t last_channel;
    bool closed;
    int closed_error;
    char closed_text[256];
    spb_buffer received; /* channel data */
} test_client;

/* A fixed stream of "random" bytes from a seed, for replay. */
typedef struct test_random {
    uint64_t state;
} test_random;
bool test_random_fill(void *ctx, void *buffer, size_t length);

void client_init(test_client *c);
/* `options` may be NULL; a host key is made unless it names one. */
void client_start(test_client *c, const sp_protocol_options *options);
void client_free(test_client *c);

/* Moves bytes from the engine to the client's buffer and pulls all events. */
void client_pump(test_client *c);
/* Bytes as they are. */
void client_raw(test_client *c, const void *bytes, size_t length);
/* One message: number and payload, as a packet in the keys of the moment. */
void client_send(test_client *c, uint8_t message, const void *payload, size_t length);
void client_send_buffer(test_client *c, uint8_t message, spb_buffer *payload); /* frees it */
/* The server's next message; false if there is none. */
bool client_receive(test_client *c);
/* Skips to that message; false if it does not come. */
bool client_expect(test_client *c, uint8_t message);
spb_reader client_reader(const test_client *c);

/* Steps of a login; each leaves the engine in the state named. */
void client_version(test_client *c);
void client_kexinit(test_client *c);
void client_take_kexinit(test_client *c); /* waits for the server's; client_kex_init else does */
void client_kex_init(test_client *c);     /* sends KEX_ECDH_INIT, takes the reply and NEWKEYS */
/* With kex_names of a group exchange: asks for a group and takes it; client_kex_init else does. */
void client_gex_request(test_client *c);
void client_newkeys(test_client *c);   /* sends NEWKEYS */
void client_handshake(test_client *c); /* all four */
void client_service(test_client *c);
void client_login(test_client *c);            /* handshake, service, method none: let in */
uint32_t client_open_session(test_client *c); /* returns the server's channel number */

void client_default_event(test_client *c, const sp_event *event);
void client_buffer(const test_client *c, spb_buffer *b);

#endif
