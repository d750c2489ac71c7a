/* forward.h: connections to elsewhere that clients ask for (ssh -L, -D, -J, -W). */
#ifndef SALLYPORTD_FORWARD_H
#define SALLYPORTD_FORWARD_H

#include <sallyport.h>

/* Fills in connection_requested and unix_connection_requested. */
void forward_handlers(sp_server_handlers *handlers);

#endif
