/* notify.h: tells the service manager how the server is (sd_notify(3)'s protocol: one datagram to
 * the socket that $NOTIFY_SOCKET names). Without that variable nothing happens. */
#ifndef SALLYPORTD_NOTIFY_H
#define SALLYPORTD_NOTIFY_H

void notify_ready(void);
void notify_reloading(void); /* to be followed by notify_ready */
void notify_stopping(void);

#endif
