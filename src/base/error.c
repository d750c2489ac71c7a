/* Error texts and the version. */
#include <sallyport/types.h>

#ifndef SP_VERSION
#define SP_VERSION "0.1.0"
#endif

const char *sp_strerror(int error)
{
    switch (error) {
    case SP_OK:
        return "success";
#define SP_ERROR_TEXT(number, name, text)                                                          \
    case name:                                                                                     \
        return text;
        SP_ERRORS(SP_ERROR_TEXT)
#undef SP_ERROR_TEXT
    default:
        return "unknown error";
    }
}

const char *sp_version(void)
{
    return SP_VERSION;
}
