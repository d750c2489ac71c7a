/* A program with a full-screen terminal interface: a board of who is connected and what the server
 * has done, drawn anew each second and when the window changes. Arrows (or j, k) move, q leaves.
 *     ssh -p PORT ann@127.0.0.1 */
#include "example.h"

typedef struct board {
    sp_process *p;
    unsigned mark, row, rows; /* marked; being drawn; that fit */
} board;

static void draw_conn(sp_conn *conn, void *data)
{
    board *b = data;
    char host[64] = "?";
    uint16_t port = 0;

    if (b->row >= b->rows || !sp_conn_authenticated(conn))
        return;
    (void)sp_conn_peer_address(conn, host, sizeof host, &port);
    sp_channel_printf(sp_process_channel(b->p), "\033[%u;1H%s %-24.24s %s:%u\033[K\033[m",
                      b->row + 3, b->row == b->mark ? "\033[7m>" : " ", sp_conn_username(conn),
                      host, (unsigned)port); /* does not wait: others may come and go meanwhile */
    b->row++;
}

static void draw(board *b)
{
    sp_server *server = sp_process_server(b->p);
    sp_server_statistics s;
    sp_term_size size = {.rows = 24};

    (void)sp_process_terminal_size(b->p, &size);
    sp_server_get_statistics(server, &s);
    b->row = 0;
    b->rows = size.rows > 3 ? size.rows - 3 : 1;
    sp_printf(b->p, "\033[H\033[1m%llu connected, %llu logins, %llu KiB sent\033[m\033[K",
              (unsigned long long)s.connections, (unsigned long long)s.logins,
              (unsigned long long)s.bytes_sent / 1024);
    sp_server_each_conn(server, draw_conn, b);
    if (b->row > 0 && b->mark >= b->row)
        b->mark = b->row - 1;
    sp_printf(b->p, "\033[%u;1H\033[J\033[%u;1Hq leaves", b->row + 3, size.rows);
}

static int show(sp_process *p, void *data)
{
    board b = {.p = p};
    char key;
    bool stay = true;

    (void)data;
    if (sp_process_terminal_type(p) == NULL)
        return (int)sp_puts_err(p, "A terminal is needed: ssh -t\n") < 0 ? 255 : 1;
    sp_process_set_editor(p, false);           /* keys as they are struck */
    sp_puts(p, "\033[?1049h\033[?25l\033[2J"); /* the other screen, no cursor */
    while (stay) {
        draw(&b);
        int what = sp_wait(p, SP_WAIT_INPUT | SP_WAIT_RESIZE, 1000);
        if (what < 0)
            return 255; /* the client has left */
        if (what != SP_WAIT_INPUT)
            continue;
        stay = sp_read(p, &key, 1) == 1 && key != 'q' && key != 3;
        if ((key == 'k' || key == 'A') && b.mark > 0) /* an arrow up is ESC [ A */
            b.mark--;
        else if (key == 'j' || key == 'B')
            b.mark++;
    }
    sp_puts(p, "\033[?25h\033[?1049l");
    return 0;
}

int main(int argc, char **argv)
{
    return example_direct(argc, argv, show);
}
