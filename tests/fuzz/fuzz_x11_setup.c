/* Fuzzer: the first message of an X11 client. It is given byte by byte as it is asked for, like
 * from a socket; and what is made of a good one must be good again. */
#include "server/x11_setup.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t cookie[SPS_X11_COOKIE] = "sixteen letters";
    static const uint8_t other[SPS_X11_COOKIE] = "fifteen and nil";
    uint8_t bytes[SPS_X11_SETUP_MAX];
    size_t length = 0;
    size_t need = 0;
    spb_env env;
    spb_buffer out;

    spb_env_init(&env, NULL);
    spb_buffer_init(&out, &env, 1024);
    sps_x11_verdict verdict;
    while ((verdict = sps_x11_check(bytes, length, cookie, &need)) == SPS_X11_MORE) {
        check(need > length && need <= sizeof bytes);
        if (length == size)
            break;
        bytes[length] = data[length];
        length++;
    }
    if (verdict == SPS_X11_GOOD) {
        const spb_span name = {(const uint8_t *)SPS_X11_PROTOCOL, strlen(SPS_X11_PROTOCOL)};
        sps_x11_replace(bytes, name, (spb_span){other, sizeof other}, &out);
        check(spw_ok(&out) && out.length == need);
        check(sps_x11_check(out.data, out.length, other, &need) == SPS_X11_GOOD);
        check(sps_x11_check(out.data, out.length, cookie, &need) == SPS_X11_WRONG);
    } else if (verdict == SPS_X11_WRONG) {
        sps_x11_refuse(bytes[0], "no", &out);
        check(spw_ok(&out) && out.length == 12);
    }
    spb_buffer_free(&out);
    return 0;
}
