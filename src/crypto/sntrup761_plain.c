/* The loops of sntrup761 for any processor. */
#include "crypto/sntrup761_loops.h"

const spc_sntrup_loops spc_sntrup_plain = SNTRUP_LOOPS;
