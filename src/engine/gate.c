/* The gate table: state x message number (RFC 4250 4.1, RFC 4253 7.1, RFC 4252 6, RFC 8308 2.4,
 * OpenSSH PROTOCOL 1.9 strict key exchange). In each state the first range that holds a number
 * decides; a number in no range ends the connection. */
#include "engine/gate.h"

#include <stddef.h>

typedef struct range {
    uint8_t first, last;
    uint8_t action;
} range;

#define RANGES_MAX 14
/* The exchange's own messages: the client's value; in a group exchange (RFC 4419) the request for a
 * group, then the value. */
#define KEX_INIT                                                                                   \
    {                                                                                              \
        30, 30, SPE_TRANSPORT                                                                      \
    }
#define GEX_REQUEST                                                                                \
    {                                                                                              \
        34, 34, SPE_TRANSPORT                                                                      \
    }
#define GEX_INIT                                                                                   \
    {                                                                                              \
        32, 32, SPE_TRANSPORT                                                                      \
    }
#define DISCONNECT                                                                                 \
    {                                                                                              \
        1, 1, SPE_TRANSPORT                                                                        \
    }
/* RFC 4253 7.1 forbids the connection protocol during a key exchange, but some clients (AsyncSSH
 * 2.10) send channel data between their KEXINIT and NEWKEYS. It is authenticated by the keys that
 * are still in use, so it is taken as it would be elsewhere; replies wait for our NEWKEYS. */
#define CHANNELS                                                                                   \
    {80, 82, SPE_CHANNELS},                                                                        \
    {                                                                                              \
        90, 100, SPE_CHANNELS                                                                      \
    }
#define GENERIC                                                                                    \
    {                                                                                              \
        1, 4, SPE_TRANSPORT                                                                        \
    } /* DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG */
#define KEXINIT                                                                                    \
    {                                                                                              \
        20, 20, SPE_TRANSPORT                                                                      \
    }
#define PING                                                                                       \
    {                                                                                              \
        192, 192, SPE_TRANSPORT                                                                    \
    }
/* Numbers that nobody has given a meaning. 8 (NEWCOMPRESS), 193 (PONG) and the server's own
 * messages are no such numbers: a client that sends them is broken. */
#define UNKNOWN_TRANSPORT                                                                          \
    {9, 19, SPE_UNIMPLEMENTED},                                                                    \
    {                                                                                              \
        22, 29, SPE_UNIMPLEMENTED                                                                  \
    }
#define UNKNOWN_USERAUTH                                                                           \
    {                                                                                              \
        54, 59, SPE_UNIMPLEMENTED                                                                  \
    }
#define UNKNOWN_ABOVE                                                                              \
    {128, 191, SPE_UNIMPLEMENTED},                                                                 \
    {                                                                                              \
        194, 255, SPE_UNIMPLEMENTED                                                                \
    }

static const range table[SPE_STATES][RANGES_MAX] = {
    [SPE_FIRST_KEXINIT] = {GENERIC, KEXINIT},
    [SPE_FIRST_KEX] = {GENERIC, KEX_INIT},
    [SPE_FIRST_KEX_STRICT] = {DISCONNECT, KEX_INIT},
    [SPE_FIRST_GEX_REQUEST] = {GENERIC, GEX_REQUEST},
    [SPE_FIRST_GEX_REQUEST_STRICT] = {DISCONNECT, GEX_REQUEST},
    [SPE_FIRST_GEX_INIT] = {GENERIC, GEX_INIT},
    [SPE_FIRST_GEX_INIT_STRICT] = {DISCONNECT, GEX_INIT},
    [SPE_FIRST_NEWKEYS] = {GENERIC, {21, 21, SPE_TRANSPORT}},
    [SPE_FIRST_NEWKEYS_STRICT] = {DISCONNECT, {21, 21, SPE_TRANSPORT}},
    [SPE_SERVICE_FIRST] = {GENERIC,
                           {5, 5, SPE_TRANSPORT},
                           {7, 7, SPE_TRANSPORT}, /* EXT_INFO */
                           KEXINIT,
                           PING,
                           UNKNOWN_TRANSPORT,
                           UNKNOWN_ABOVE},
    [SPE_SERVICE] =
        {GENERIC, {5, 5, SPE_TRANSPORT}, KEXINIT, PING, UNKNOWN_TRANSPORT, UNKNOWN_ABOVE},
    [SPE_AUTH] = {GENERIC,
                  {5, 5, SPE_TRANSPORT}, /* some clients ask again for each attempt */
                  KEXINIT,
                  {50, 50, SPE_USERAUTH},
                  {60, 79, SPE_USERAUTH}, /* the running method knows which */
                  PING,
                  UNKNOWN_TRANSPORT,
                  UNKNOWN_USERAUTH,
                  UNKNOWN_ABOVE},
    [SPE_CONNECTION] = {GENERIC,
                        KEXINIT,
                        {50, 50, SPE_DROP}, /* RFC 4252 5.1 */
                        CHANNELS,
                        PING,
                        UNKNOWN_TRANSPORT,
                        UNKNOWN_USERAUTH,
                        {83, 89, SPE_UNIMPLEMENTED},
                        {101, 127, SPE_UNIMPLEMENTED},
                        UNKNOWN_ABOVE},
    [SPE_REKEY_KEX] = {GENERIC, KEX_INIT},
    [SPE_REKEY_GEX_REQUEST] = {GENERIC, GEX_REQUEST},
    [SPE_REKEY_GEX_INIT] = {GENERIC, GEX_INIT},
    [SPE_REKEY_NEWKEYS] = {GENERIC, {21, 21, SPE_TRANSPORT}},
    [SPE_CONNECTION_REKEY_KEX] = {GENERIC, KEX_INIT, CHANNELS},
    [SPE_CONNECTION_REKEY_GEX_REQUEST] = {GENERIC, GEX_REQUEST, CHANNELS},
    [SPE_CONNECTION_REKEY_GEX_INIT] = {GENERIC, GEX_INIT, CHANNELS},
    [SPE_CONNECTION_REKEY_NEWKEYS] = {GENERIC, {21, 21, SPE_TRANSPORT}, CHANNELS},
    [SPE_CLOSED] = {{0, 0, SPE_FATAL}},
};

spe_action spe_gate(spe_state state, uint8_t message)
{
    if (state >= SPE_STATES)
        return SPE_FATAL;
    for (size_t i = 0; i < RANGES_MAX; i++) {
        const range *r = &table[state][i];
        if (r->action == SPE_FATAL)
            break; /* the end of this state's ranges */
        if (message >= r->first && message <= r->last)
            return (spe_action)r->action;
    }
    return SPE_FATAL;
}
