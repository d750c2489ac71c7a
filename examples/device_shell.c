/* The restricted shell of a device: a table of commands and nothing else, in direct style.
 *     ssh -p PORT admin@127.0.0.1                 lines are edited, arrow keys recall them
 *     ssh -p PORT admin@127.0.0.1 light on        one command
 * One thread serves all sessions, so the state needs no lock. */
#include "example.h"

static bool light;
static char name[32] = "device";

static int run_show(sp_process *p, const char *argument)
{
    (void)argument;
    sp_printf(p, "%s: the light is %s\n", name, light ? "on" : "off");
    return 0;
}

static int run_light(sp_process *p, const char *argument)
{
    if (strcmp(argument, "on") != 0 && strcmp(argument, "off") != 0)
        return sp_puts_err(p, "light on, or light off\n"), 2;
    light = strcmp(argument, "on") == 0;
    return 0;
}

static int run_rename(sp_process *p, const char *argument)
{
    char answer[8];
    if (*argument == '\0' || strlen(argument) >= sizeof name)
        return sp_puts_err(p, "rename NAME, of up to 31 bytes\n"), 2;
    if (sp_read_line(p, "Really? ", answer, sizeof answer) < 0 || strcmp(answer, "yes") != 0)
        return 1;
    (void)snprintf(name, sizeof name, "%s", argument);
    return 0;
}

static const struct {
    const char *word, *help;
    int (*run)(sp_process *p, const char *argument); /* returns the exit status */
} commands[] = {
    {"light", "light on, light off", run_light},
    {"rename", "gives the device a name", run_rename},
    {"show", "says how things are", run_show},
};

static int run(sp_process *p, const char *line)
{
    size_t length = strcspn(line, " ");
    const char *argument = line + length + strspn(line + length, " ");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].word) == length && memcmp(commands[i].word, line, length) == 0)
            return commands[i].run(p, argument);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        sp_printf(p, "%-8s %s\n", commands[i].word, commands[i].help);
    return 127;
}

static int shell(sp_process *p, void *data)
{
    char line[256];
    (void)data;
    if (sp_process_command(p) != NULL)
        return run(p, sp_process_command(p));
    sp_puts(p, "An empty line shows the commands; exit leaves.\n");
    for (;;) {
        sp_printf(p, "%s> ", name);
        ptrdiff_t length = sp_gets(p, line, sizeof line);
        if (length == SP_ECANCELED || length == SP_ELIMIT) /* ^C; too long */
            continue;
        if (length < 0 || strcmp(line, "exit") == 0)
            return 0;
        (void)run(p, line);
    }
}

int main(int argc, char **argv)
{
    return example_direct(argc, argv, shell);
}
