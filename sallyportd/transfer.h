/* transfer.h: sessions that this program serves itself: SFTP and scp over the user's files. Thread:
 * the loop's. */
#ifndef SALLYPORTD_TRANSFER_H
#define SALLYPORTD_TRANSFER_H

#include "login.h"

typedef enum transfer_kind {
    TRANSFER_SFTP = 1,
    TRANSFER_SCP,
} transfer_kind;

typedef struct transfer transfer;

/* For the request that begins such a session: looks at the root and opens it, on the thread pool.
 * What comes of it becomes the channel's data. `command`: "internal-sftp" with its flags, or the
 * client's scp command. */
sp_answer transfer_prepare(sp_channel *channel, sp_request *request, login *l, transfer_kind kind,
                           const char *command);
/* In session_started. False: it can't be served (logged). */
bool transfer_serve(transfer *t, sp_channel *channel);
void transfer_unref(transfer *t); /* NULL is fine */

#endif
