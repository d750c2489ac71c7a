/* sallyport/agent.h: what a client lends to its sessions: its authentication agent and its X server
 * (RFC 4254 6.3; agent: "auth-agent-req@openssh.com" and "auth-agent@openssh.com").
 *
 * When agent_requested or x11_requested accepts, the library makes what the session's programs
 * need, and the request succeeds only if that could be made:
 * - a UNIX socket in a new directory that only this process's user can enter. Each connection to it
 *   opens a channel to the client's agent and is relayed. Peers of other users (but root) are
 *   turned away.
 * - a proxy display: a TCP port 6000 + n on 127.0.0.1 and ::1, and an authority file in that
 *   directory with a random cookie of the library's own. A connection has to show this cookie
 *   within a time limit; it is then replaced by the one that the client gave, and only then a
 *   channel is opened. Anybody else gets the X protocol's refusal. If the client asked for a single
 *   connection, the display closes behind the first good one.
 * Sockets, directory and file go when the session's channel closes; connections that are relayed
 * by then go on until they end, or the SSH connection does. The file holds nothing but this
 * display: programs of the session do not see the user's own ~/.Xauthority.
 *
 * The programs must run as this process's user. sp_channel_spawn puts SSH_AUTH_SOCK, DISPLAY and
 * XAUTHORITY into their environment; who starts them otherwise does so with the getters.
 *
 * Thread: the connection's. */
#ifndef SALLYPORT_AGENT_H
#define SALLYPORT_AGENT_H

#include <sallyport/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For SSH_AUTH_SOCK: the path of the session's agent socket. NULL: agent forwarding was not
 * granted, or the session is over. Lent, as the two below. */
SP_API const char *sp_channel_get_agent_path(const sp_channel *channel);
/* For DISPLAY: "localhost:10.0". NULL: no X11 forwarding. A display that was for a single
 * connection and had it is still named here. */
SP_API const char *sp_channel_get_display(const sp_channel *channel);
/* For XAUTHORITY: the path of the authority file. NULL: no X11 forwarding. */
SP_API const char *sp_channel_get_xauthority(const sp_channel *channel);

/* Opens a connection to the client's agent for the application itself
 * ("auth-agent@openssh.com"); what is read and written is the agent protocol. Only when an
 * agent request of a session on this connection was accepted: SP_EACCES before. After success the
 * handlers' connection_made, session_started and connection_lost are called as for other streams;
 * if the client refuses, connection_lost alone, with its reason. `options` may be NULL; `channel`,
 * if not NULL, gets the channel. Errors: SP_EACCES, SP_EINVAL, SP_ECONN, SP_ELIMIT, SP_ENOMEM. */
SP_API int sp_conn_create_agent_connection(struct sp_conn *conn, const sp_stream_handlers *handlers,
                                           void *data, const sp_channel_options *options,
                                           sp_channel **channel);

#ifdef __cplusplus
}
#endif
#endif
