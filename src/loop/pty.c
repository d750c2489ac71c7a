/* Pseudo-terminals and the client's terminal modes (RFC 4254 8, and IUTF8 of RFC 8160). */
#include "loop/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MODE_CHARACTER_NONE 255u /* RFC 4254 8: no such character */
#define MODE_CS7 90u
#define MODE_CS8 91u

typedef enum mode_place {
    PLACE_CHARACTER = 1,
    PLACE_INPUT,
    PLACE_LOCAL,
    PLACE_OUTPUT,
    PLACE_CONTROL
} mode_place;

typedef struct mode_entry {
    uint8_t opcode;
    uint8_t place;
    tcflag_t what; /* a flag, or an index of c_cc */
} mode_entry;

static const mode_entry mode_table[] = {
    {1, PLACE_CHARACTER, VINTR},     {2, PLACE_CHARACTER, VQUIT}, {3, PLACE_CHARACTER, VERASE},
    {4, PLACE_CHARACTER, VKILL},     {5, PLACE_CHARACTER, VEOF},  {6, PLACE_CHARACTER, VEOL},
#ifdef VEOL2
    {7, PLACE_CHARACTER, VEOL2},
#endif
    {8, PLACE_CHARACTER, VSTART},    {9, PLACE_CHARACTER, VSTOP}, {10, PLACE_CHARACTER, VSUSP},
#ifdef VDSUSP
    {11, PLACE_CHARACTER, VDSUSP},
#endif
#ifdef VREPRINT
    {12, PLACE_CHARACTER, VREPRINT},
#endif
#ifdef VWERASE
    {13, PLACE_CHARACTER, VWERASE},
#endif
#ifdef VLNEXT
    {14, PLACE_CHARACTER, VLNEXT},
#endif
#ifdef VFLUSH
    {15, PLACE_CHARACTER, VFLUSH},
#endif
#if defined VSWTCH
    {16, PLACE_CHARACTER, VSWTCH},
#elif defined VSWTC
    {16, PLACE_CHARACTER, VSWTC},
#endif
#ifdef VSTATUS
    {17, PLACE_CHARACTER, VSTATUS},
#endif
#ifdef VDISCARD
    {18, PLACE_CHARACTER, VDISCARD},
#endif
    {30, PLACE_INPUT, IGNPAR},       {31, PLACE_INPUT, PARMRK},   {32, PLACE_INPUT, INPCK},
    {33, PLACE_INPUT, ISTRIP},       {34, PLACE_INPUT, INLCR},    {35, PLACE_INPUT, IGNCR},
    {36, PLACE_INPUT, ICRNL},
#ifdef IUCLC
    {37, PLACE_INPUT, IUCLC},
#endif
    {38, PLACE_INPUT, IXON},         {39, PLACE_INPUT, IXANY},    {40, PLACE_INPUT, IXOFF},
#ifdef IMAXBEL
    {41, PLACE_INPUT, IMAXBEL},
#endif
#ifdef IUTF8
    {42, PLACE_INPUT, IUTF8},
#endif
    {50, PLACE_LOCAL, ISIG},         {51, PLACE_LOCAL, ICANON},
#ifdef XCASE
    {52, PLACE_LOCAL, XCASE},
#endif
    {53, PLACE_LOCAL, ECHO},         {54, PLACE_LOCAL, ECHOE},    {55, PLACE_LOCAL, ECHOK},
    {56, PLACE_LOCAL, ECHONL},       {57, PLACE_LOCAL, NOFLSH},   {58, PLACE_LOCAL, TOSTOP},
    {59, PLACE_LOCAL, IEXTEN},
#ifdef ECHOCTL
    {60, PLACE_LOCAL, ECHOCTL},
#endif
#ifdef ECHOKE
    {61, PLACE_LOCAL, ECHOKE},
#endif
#ifdef PENDIN
    {62, PLACE_LOCAL, PENDIN},
#endif
    {70, PLACE_OUTPUT, OPOST},
#ifdef OLCUC
    {71, PLACE_OUTPUT, OLCUC},
#endif
#ifdef ONLCR
    {72, PLACE_OUTPUT, ONLCR},
#endif
#ifdef OCRNL
    {73, PLACE_OUTPUT, OCRNL},
#endif
#ifdef ONOCR
    {74, PLACE_OUTPUT, ONOCR},
#endif
#ifdef ONLRET
    {75, PLACE_OUTPUT, ONLRET},
#endif
    {92, PLACE_CONTROL, PARENB},     {93, PLACE_CONTROL, PARODD},
};

typedef struct speed_entry {
    uint32_t bits;
    speed_t speed;
} speed_entry;

static const speed_entry speed_table[] = {
    {50, B50},         {75, B75},     {110, B110},   {134, B134},     {150, B150},
    {200, B200},       {300, B300},   {600, B600},   {1200, B1200},   {1800, B1800},
    {2400, B2400},     {4800, B4800}, {9600, B9600}, {19200, B19200}, {38400, B38400},
#ifdef B57600
    {57600, B57600},
#endif
#ifdef B115200
    {115200, B115200},
#endif
#ifdef B230400
    {230400, B230400},
#endif
#ifdef B460800
    {460800, B460800},
#endif
#ifdef B921600
    {921600, B921600},
#endif
};

static const speed_entry *find_speed(uint32_t bits)
{
    for (size_t i = 0; i < sizeof speed_table / sizeof speed_table[0]; i++)
        if (speed_table[i].bits == bits)
            return &speed_table[i];
    return NULL;
}

static void set_flag(tcflag_t *flags, tcflag_t flag, bool on)
{
    if (on)
        *flags |= flag;
    else
        *flags &= ~flag;
}

static void apply_mode(struct termios *t, const sp_term_mode *mode)
{
    for (size_t i = 0; i < sizeof mode_table / sizeof mode_table[0]; i++) {
        const mode_entry *entry = &mode_table[i];
        if (entry->opcode != mode->opcode)
            continue;
        bool on = mode->value != 0;
        switch ((mode_place)entry->place) {
        case PLACE_CHARACTER:
            t->c_cc[entry->what] = mode->value == MODE_CHARACTER_NONE ? (cc_t)_POSIX_VDISABLE
                                                                      : (cc_t)(mode->value & 0xffu);
            break;
        case PLACE_INPUT:
            set_flag(&t->c_iflag, entry->what, on);
            break;
        case PLACE_LOCAL:
            set_flag(&t->c_lflag, entry->what, on);
            break;
        case PLACE_OUTPUT:
            set_flag(&t->c_oflag, entry->what, on);
            break;
        case PLACE_CONTROL:
            set_flag(&t->c_cflag, entry->what, on);
            break;
        }
        return;
    }
}

void spl_termios_apply(struct termios *termios, const sp_term_modes *modes)
{
    bool seven = false;
    bool eight = false;
    for (size_t i = 0; i < modes->count; i++) {
        const sp_term_mode *mode = &modes->modes[i];
        if (mode->opcode == MODE_CS7)
            seven = mode->value != 0;
        else if (mode->opcode == MODE_CS8)
            eight = mode->value != 0;
        else
            apply_mode(termios, mode);
    }
    /* The character size is one field, and clients that test its bits one by one claim both. */
    if (eight || seven)
        termios->c_cflag = (termios->c_cflag & ~(tcflag_t)CSIZE) | (eight ? CS8 : CS7);
    const speed_entry *speed = find_speed(modes->input_speed);
    if (speed != NULL)
        cfsetispeed(termios, speed->speed);
    speed = find_speed(modes->output_speed);
    if (speed != NULL)
        cfsetospeed(termios, speed->speed);
}

int spl_pty_open(int *master, int *slave, char *name, size_t size)
{
    int m = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (m < 0)
        return spl_error(errno);
    int s = -1;
    if (grantpt(m) == 0 && unlockpt(m) == 0 && ptsname_r(m, name, size) == 0)
        s = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s < 0) {
        int result = spl_error(errno);
        close(m);
        return result;
    }
    *master = m;
    *slave = s;
    return 0;
}

static unsigned short short_of(uint32_t n)
{
    return (unsigned short)(n > 0xffffu ? 0xffffu : n);
}

void spl_pty_resize(int fd, const sp_term_size *size)
{
    struct winsize window = {
        .ws_row = short_of(size->rows),
        .ws_col = short_of(size->columns),
        .ws_xpixel = short_of(size->width),
        .ws_ypixel = short_of(size->height),
    };
    (void)ioctl(fd, TIOCSWINSZ, &window);
}

void spl_pty_break(int fd)
{
    (void)tcsendbreak(fd, 0);
}
