/* src/loop/pty.c: the client's terminal modes on this system's termios. */
#include "support/server_stand.h"

#include "loop/process.h"

#include <sys/ioctl.h>

static struct termios apply(const sp_term_mode *modes, size_t count, uint32_t speed)
{
    struct termios t;
    memset(&t, 0, sizeof t);
    t.c_cflag = CS8 | CREAD;
    t.c_lflag = ECHO | ICANON | ISIG;
    const sp_term_modes all = {modes, count, speed, speed};
    spl_termios_apply(&t, &all);
    return t;
}

static void flags_go_on_and_off(void **state)
{
    (void)state;
    const sp_term_mode modes[] = {{53, 0}, {51, 0}, {50, 7}, {36, 1},
                                  {38, 0}, {70, 1}, {72, 1}, {92, 1}};
    struct termios t = apply(modes, sizeof modes / sizeof modes[0], 0);
    assert_false(t.c_lflag & ECHO);
    assert_false(t.c_lflag & ICANON);
    assert_true(t.c_lflag & ISIG); /* any value but 0 is on */
    assert_true(t.c_iflag & ICRNL);
    assert_false(t.c_iflag & IXON);
    assert_int_equal(t.c_oflag & (OPOST | ONLCR), OPOST | ONLCR);
    assert_true(t.c_cflag & PARENB);
}

static void characters_are_set_and_disabled(void **state)
{
    (void)state;
    const sp_term_mode modes[] = {{1, 3}, {3, 127}, {5, 255}, {10, 26}};
    struct termios t = apply(modes, 4, 0);
    assert_int_equal(t.c_cc[VINTR], 3);
    assert_int_equal(t.c_cc[VERASE], 127);
    assert_int_equal(t.c_cc[VEOF], _POSIX_VDISABLE);
    assert_int_equal(t.c_cc[VSUSP], 26);
}

static void every_opcode_maps_to_its_own_place(void **state)
{
    (void)state;
    struct termios before = apply(NULL, 0, 0);
    int known = 0;
    for (unsigned opcode = 0; opcode < 160; opcode++) {
        const sp_term_mode on = {(uint8_t)opcode, 1};
        const sp_term_mode off = {(uint8_t)opcode, 0};
        struct termios a = apply(&on, 1, 0);
        struct termios b = apply(&off, 1, 0);
        known += memcmp(&a, &b, sizeof a) != 0;
        if (opcode == 0 || opcode > 93)
            assert_memory_equal(&a, &before, sizeof a);
    }
    assert_in_range(known, 44, 56); /* POSIX has 44 of them; Linux some more */
}

static void character_size_is_one_field(void **state)
{
    (void)state;
    const sp_term_mode seven[] = {{90, 1}, {91, 0}};
    const sp_term_mode both[] = {{91, 1}, {90, 1}};
    const sp_term_mode none[] = {{90, 0}, {91, 0}};
    assert_int_equal(apply(seven, 2, 0).c_cflag & CSIZE, CS7);
    assert_int_equal(apply(both, 2, 0).c_cflag & CSIZE, CS8);
    assert_int_equal(apply(none, 2, 0).c_cflag & CSIZE, CS8); /* as it was */
}

static void speeds_that_exist_are_set(void **state)
{
    (void)state;
    struct termios t = apply(NULL, 0, 38400);
    assert_int_equal(cfgetospeed(&t), B38400);
    assert_int_equal(cfgetispeed(&t), B38400);
    t = apply(NULL, 0, 12345);
    assert_int_equal(cfgetospeed(&t), B0); /* unknown: left alone */
}

static void a_terminal_opens_and_resizes(void **state)
{
    (void)state;
    int master = -1;
    int slave = -1;
    char name[64];
    assert_int_equal(spl_pty_open(&master, &slave, name, sizeof name), 0);
    assert_int_equal(strncmp(name, "/dev/", 5), 0);
    const sp_term_size size = {132, 50, 70000, 0};
    spl_pty_resize(master, &size);
    struct winsize window;
    assert_int_equal(ioctl(slave, TIOCGWINSZ, &window), 0);
    assert_int_equal(window.ws_col, 132);
    assert_int_equal(window.ws_row, 50);
    assert_int_equal(window.ws_xpixel, 65535); /* too large for the field: the largest */
    close(master);
    close(slave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_go_on_and_off),
        cmocka_unit_test(characters_are_set_and_disabled),
        cmocka_unit_test(every_opcode_maps_to_its_own_place),
        cmocka_unit_test(character_size_is_one_field),
        cmocka_unit_test(speeds_that_exist_are_set),
        cmocka_unit_test(a_terminal_opens_and_resizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
