/* A protocol's server (SFTP, scp) joined to its channel: input with back-pressure, output as the
 * channel takes it, the exit status, and the end of both. The server itself is bytes in, bytes out.
 * Thread: the loop's. */
#ifndef SPS_JOINT_H
#define SPS_JOINT_H

#include "base/wire.h"
#include "server/server.h"

/* What a joint asks of the protocol's server, `core`. */
typedef struct sps_core {
    /* Takes all of it. Work may wait for `run`, but not when it wants no more input then. */
    void (*receive)(void *core, const uint8_t *bytes, size_t length);
    void (*end_of_input)(void *core);
    bool (*over)(const void *core); /* it takes no more input, ever */
    bool (*wants_input)(const void *core);
    void (*run)(void *core); /* does what can be done */
    /* What is to be written next; length 0: nothing now. */
    spb_span (*output)(const void *core);
    void (*consumed)(void *core, size_t length);
    void (*lost)(void *core);        /* nobody reads any more; may be called twice */
    bool (*ended)(const void *core); /* nothing is left but perhaps some output */
    uint32_t (*status)(const void *core);
    void (*closed)(void *core, sp_channel *channel); /* it has ended: the application's callback */
    void (*free)(void *core);
} sps_core;

typedef struct sps_joint sps_joint;

/* Takes the channel over, which is still there. SP_EINVAL (it is taken already), SP_ENOMEM: the
 * core is the caller's still. It does nothing before sps_joint_start. */
int sps_joint_new(sps_joint **joint, sp_channel *channel, const sps_core *calls, void *core);
void sps_joint_start(sps_joint *joint);
/* For the core: a late answer has come. It is looked at when all that come together are there. */
void sps_joint_moved(void *joint);

#endif
