/* The engine's own struct. */
#ifndef SPE_ENGINE_INTERNAL_H
#define SPE_ENGINE_INTERNAL_H

#include "auth/auth.h"
#include "connection/connection.h"
#include "engine/gate.h"
#include "transport/transport_engine.h"
#include <sallyport/engine.h>

struct sp_engine {
    sp_config *config;
    sp_pool *pool;
    spt_transport *transport;
    spa_auth *auth;             /* NULL until its service was granted */
    spn_connection *connection; /* NULL until authentication succeeded */
    spa_trust trust;
    uint64_t login_deadline;
    uint64_t keepalive_sent;
    uint32_t keepalives; /* since anything was received */
    bool own_pool;
    bool released;     /* channels are served */
    bool input_ended;  /* no more bytes come */
    bool closed_by_us; /* the application asked for the end */
    bool lost_told;
    bool closed_told;
};

#endif
