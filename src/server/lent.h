/* What a client lends to a session: its agent and its X server. */
#ifndef SPS_LENT_H
#define SPS_LENT_H

#include "base/wire.h"
#include "server/request_question.h"

#include <sallyport/agent.h>

/* A path in the session's private directory, which is made if need be: the caller's to free. NULL:
 * that failed, and it was logged. */
char *sps_lent_path(sp_channel *channel, const char *name);

/* Logs what went wrong with it. */
void sps_lent_log(const sp_channel *channel, const char *what, int error);
/* The same for a listening socket that cannot accept; once, until that is over. */
void sps_lent_accept_failed(const sp_channel *channel, const char *what, int error);
/* Opens a channel to the client and joins it to the socket, which it owns, also on failure.
 * `first`, if not NULL, goes to the client before anything that comes from the socket. */
void sps_lent_relay(sp_conn *conn, const sp_open_request *what, int fd, const spb_buffer *first);

/* Both: false when what the session needs could not be made, and that was logged. */
bool sps_agent_make(sp_channel *channel);
bool sps_display_make(sp_channel *channel, const sp_request *request);
void sps_agent_close(sps_agent *agent); /* NULL is fine, as for the next */
void sps_display_close(sps_display *display);

#endif
