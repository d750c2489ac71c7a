/* The gate: which message numbers are allowed in which state, and which room handles each. No
 * handler is reached that this table does not name. */
#ifndef SPE_GATE_H
#define SPE_GATE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum spe_state {
    SPE_FIRST_KEXINIT,     /* first exchange: before the client's KEXINIT */
    SPE_FIRST_KEX,         /* after it */
    SPE_FIRST_KEX_STRICT,  /* the same under strict key exchange */
    SPE_FIRST_GEX_REQUEST, /* the same in a group exchange: a group must be asked for */
    SPE_FIRST_GEX_REQUEST_STRICT,
    SPE_FIRST_GEX_INIT, /* and then used */
    SPE_FIRST_GEX_INIT_STRICT,
    SPE_FIRST_NEWKEYS,        /* NEWKEYS must come */
    SPE_FIRST_NEWKEYS_STRICT, /* the same under strict key exchange */
    SPE_SERVICE_FIRST,        /* the first message under keys */
    SPE_SERVICE,              /* no service was requested yet */
    SPE_AUTH,                 /* user authentication */
    SPE_CONNECTION,           /* authenticated */
    SPE_REKEY_KEX,            /* a later exchange before authentication has succeeded */
    SPE_REKEY_GEX_REQUEST,
    SPE_REKEY_GEX_INIT,
    SPE_REKEY_NEWKEYS,
    SPE_CONNECTION_REKEY_KEX, /* a later exchange after it */
    SPE_CONNECTION_REKEY_GEX_REQUEST,
    SPE_CONNECTION_REKEY_GEX_INIT,
    SPE_CONNECTION_REKEY_NEWKEYS,
    SPE_CLOSED,
    SPE_STATES
} spe_state;

typedef enum spe_action {
    SPE_FATAL = 0,     /* a protocol error: disconnect */
    SPE_UNIMPLEMENTED, /* answered with UNIMPLEMENTED (RFC 4253 11.4) */
    SPE_DROP,          /* silently ignored */
    SPE_TRANSPORT,     /* handled by the transport */
    SPE_USERAUTH,      /* by user authentication */
    SPE_CHANNELS,      /* by the connection protocol */
} spe_action;

spe_action spe_gate(spe_state state, uint8_t message);

#endif
