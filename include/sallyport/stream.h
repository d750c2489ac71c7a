/* sallyport/stream.h: channels that lead to a TCP or UNIX socket (RFC 4254 7.2, OpenSSH PROTOCOL
 * 2.4): what connection_requested and unix_connection_requested answer with.
 *
 * The application serves the channel itself with a table of handlers, or lets the library connect
 * and relay. A channel is an `sp_channel` with the calls of <sallyport/session.h>, less those that
 * only a session has (exit, terminal, environment).
 *
 * Thread: the connection's, for everything that does not say "Thread: any". */
#ifndef SALLYPORT_STREAM_H
#define SALLYPORT_STREAM_H

#include <sallyport/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every member may be absent (NULL); they are as in sp_session_handlers. */
typedef struct sp_stream_handlers {
    size_t size;
    /* First and last. `error` is NULL after a clean close. */
    void (*connection_made)(sp_channel *channel);
    void (*connection_lost)(sp_channel *channel, const sp_conn_error *error);
    /* The client knows that the channel is open. */
    void (*session_started)(sp_channel *channel);
    void (*data_received)(sp_channel *channel, const void *bytes, size_t length, uint32_t type);
    /* True: stay half open, writing goes on. False, or absent: the channel closes. */
    bool (*eof_received)(sp_channel *channel);
    void (*pause_writing)(sp_channel *channel);
    void (*resume_writing)(sp_channel *channel);
} sp_stream_handlers;
#define SP_STREAM_HANDLERS_INIT .size = sizeof(sp_stream_handlers)

/* ---- answering connection_requested and unix_connection_requested (Thread: any). All return
 * SP_EINVAL for the open of a session; else results as in <sallyport/auth.h>. sp_open_refuse,
 * sp_open_work and sp_open_release are the same as for sessions. ---- */

/* As sp_open_session. */
SP_API int sp_open_stream(sp_open *open, const sp_stream_handlers *handlers, void *data,
                          const sp_channel_options *options);
/* The library connects to where the client asked, and relays both ways with back-pressure and
 * half-closes. Names are resolved without blocking; addresses are tried as in RFC 8305. The client
 * learns how it went: confirmation, or CONNECT_FAILED with the system's reason. */
SP_API int sp_open_forward(sp_open *open);
/* The same, to somewhere else. */
SP_API int sp_open_forward_to(sp_open *open, const char *host, uint16_t port);
SP_API int sp_open_forward_to_path(sp_open *open, const char *path);

/* What was asked for; valid until the release. Thread: any. */
SP_API const char *sp_open_dest_host(const sp_open *open); /* NULL for a path */
SP_API uint16_t sp_open_dest_port(const sp_open *open);
SP_API const char *sp_open_orig_host(const sp_open *open);
SP_API uint16_t sp_open_orig_port(const sp_open *open);
SP_API const char *sp_open_dest_path(const sp_open *open); /* NULL for a host */

#ifdef __cplusplus
}
#endif
#endif
