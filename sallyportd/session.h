/* session.h: shells, commands and subsystems. */
#ifndef SALLYPORTD_SESSION_H
#define SALLYPORTD_SESSION_H

#include <sallyport.h>

/* Fills in session_requested. */
void session_handlers(sp_server_handlers *handlers);

#endif
