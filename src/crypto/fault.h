/* Makes the failure of each libcrypto call testable. Every call that can fail stands in an SPC_TRY;
 * tests/unit/crypto_faults.c compiles this room with SP_FAULT_INJECTION and makes the n-th one
 * fail, for all n. In the library itself SPC_TRY is its argument. */
#ifndef SPC_FAULT_H
#define SPC_FAULT_H

#ifdef SP_FAULT_INJECTION
#include <stdbool.h>
bool spc_fault(void); /* true: the call at hand must fail */
#define SPC_TRY(expr) (!spc_fault() && (expr))
#else
#define SPC_TRY(expr) (expr)
#endif

#endif
