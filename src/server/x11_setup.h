/* The first message of an X11 client (X Window System Protocol, "Connection Setup"), and the file
 * that its cookie comes from. Pure: bytes in, bytes out. */
#ifndef SPS_X11_SETUP_H
#define SPS_X11_SETUP_H

#include "base/wire.h"

#define SPS_X11_PROTOCOL "MIT-MAGIC-COOKIE-1"
#define SPS_X11_COOKIE 16u
#define SPS_X11_HEADER 12u
#define SPS_X11_SETUP_MAX 512u /* the longest message that is read at all */

typedef enum sps_x11_verdict {
    SPS_X11_WRONG = 0, /* does not show our cookie */
    SPS_X11_BROKEN,    /* not even its byte order is known: nothing can be answered */
    SPS_X11_MORE,      /* may become a good one */
    SPS_X11_GOOD,
} sps_x11_verdict;

/* Judges the first `length` bytes of a connection. MORE: `*need` says how many there must be in all
 * before it is asked again; never more than SPS_X11_SETUP_MAX. The time taken does not depend on
 * how much of the cookie is right. */
sps_x11_verdict sps_x11_check(const uint8_t *bytes, size_t length,
                              const uint8_t cookie[SPS_X11_COOKIE], size_t *need);
/* Appends the setup message that starts with `header`, with this protocol and cookie in place of
 * its own. */
void sps_x11_replace(const uint8_t header[SPS_X11_HEADER], spb_span protocol, spb_span cookie,
                     spb_buffer *out);
/* Appends the server's answer "failed" with a reason of at most 255 bytes. `order`: the client's
 * first byte, 'l' or 'B'. */
void sps_x11_refuse(uint8_t order, const char *reason, spb_buffer *out);
/* Appends what an authority file holds (libXau): the cookie of display `number`, first for
 * programs that look for this host by name, then for any that look at the number alone. */
void sps_x11_authority(const char *host, unsigned number, const uint8_t cookie[SPS_X11_COOKIE],
                       spb_buffer *out);

#endif
