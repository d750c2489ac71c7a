/* fingerprints.h: the flag -F. */
#ifndef SALLYPORTD_FINGERPRINTS_H
#define SALLYPORTD_FINGERPRINTS_H

#include "program.h"

/* Prints what people and DNS know this host's keys by: fingerprints, their pictures and SSHFP
 * records for the host name. Makes the keys that a start would make. An exit code. */
int fingerprints_print(const program *p, const char *host);

#endif
