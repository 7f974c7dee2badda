/* SPDX-License-Identifier: MIT
 *
 * Where the facts about a new account come from: flags, files, the environment, or a person at the
 * terminal. Guarantee: a password is never shown, echoed or left in a buffer of ours; Ctrl-C ends a
 * question and not the process, so that a terminal gets its echo back and a Redis that was started
 * for the call is stopped. Does not: judge (account.h does).
 */
#include "ask_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "p3d/account.h"
#include "p3d/str.h"

static const int stops[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { STOPS = sizeof(stops) / sizeof(*stops) };

/* While a person is asked: stop signals end the waiting and nothing else. */
struct question {
    struct sigaction before[STOPS];
    sigset_t mask, waiting; /* as it was; the one to wait with, where they come through */
};

static void on_stop(int sig)
{
    (void)sig; /* it only ends the ppoll(2) */
}

static void question_begin(struct question *q)
{
    struct sigaction now = {.sa_handler = on_stop};
    sigset_t all;
    (void)sigemptyset(&all);
    for (int i = 0; i < STOPS; i++)
        (void)sigaddset(&all, stops[i]);
    (void)sigprocmask(SIG_BLOCK, &all, &q->mask);
    q->waiting = q->mask;
    for (int i = 0; i < STOPS; i++) {
        (void)sigaction(stops[i], &now, &q->before[i]);
        (void)sigdelset(&q->waiting, stops[i]);
    }
}

static void question_end(struct question *q)
{
    for (int i = 0; i < STOPS; i++)
        (void)sigaction(stops[i], &q->before[i], NULL);
    (void)sigprocmask(SIG_SETMASK, &q->mask, NULL);
}

/* waiting: the signals while it waits; NULL: as they are. Stopped by one: -1. */
static ssize_t read_byte(int fd, char *c, const sigset_t *waiting)
{
    struct pollfd p = {fd, POLLIN, 0};
    return waiting != NULL && ppoll(&p, 1, NULL, waiting) != 1 ? -1 : read(fd, c, 1);
}

/* One line of at most size - 1 bytes, without its end. False at the end of input, or too long. */
static bool read_line(int fd, char *dst, size_t size, const sigset_t *waiting, bool *ret_too_long)
{
    size_t n = 0;
    char c = 0;
    ssize_t r;
    *ret_too_long = false;
    /* Byte by byte: what stands behind the line stays for whoever reads next. */
    while ((r = read_byte(fd, &c, waiting)) == 1 && c != '\n') {
        if (n + 1 < size)
            dst[n++] = c;
        else
            *ret_too_long = true;
    }
    if (n > 0 && dst[n - 1] == '\r')
        n--;
    dst[n] = '\0';
    return r == 1 || (r == 0 && n > 0);
}

bool p3d_ask_possible(void)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool p3d_ask_line(const char *question, char *dst, size_t size)
{
    struct question q;
    bool too_long = false;
    question_begin(&q);
    bool ok = fprintf(stderr, "%s: ", question) > 0 &&
              read_line(STDIN_FILENO, dst, size, &q.waiting, &too_long);
    if (!ok)
        (void)fputc('\n', stderr);
    else if (too_long)
        (void)fputs("that is too long\n", stderr);
    question_end(&q);
    return ok && !too_long;
}

static bool ask_hidden(const char *question, char *dst, size_t size)
{
    struct termios shown, hidden;
    struct question q;
    bool too_long = false;

    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return false;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    question_begin(&q);
    /* The question comes after the echo is off: who answers at once is not shown, nor thrown away.
     */
    bool ok = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0 &&
              fprintf(stderr, "%s: ", question) > 0 &&
              read_line(STDIN_FILENO, dst, size, &q.waiting, &too_long);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)fputc('\n', stderr);
    question_end(&q);
    return ok && !too_long;
}

static bool ask_twice(struct p3d_secret *ret)
{
    char first[P3D_SECRET_MAX + 1], second[P3D_SECRET_MAX + 1];
    bool ok = ask_hidden("Password", first, sizeof(first)) &&
              ask_hidden("Password again", second, sizeof(second));
    if (ok && strcmp(first, second) != 0) {
        (void)fputs("the two passwords are not the same\n", stderr);
        ok = false;
    }
    if (ok)
        p3d_secret_set(ret, p3d_str_z(first));
    p3d_wipe(first, sizeof(first));
    p3d_wipe(second, sizeof(second));
    return ok;
}

static bool from_file(const char *path, struct p3d_secret *ret)
{
    char line[P3D_SECRET_MAX + 1];
    bool too_long = false, standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read_line(fd, line, sizeof(line), NULL, &too_long);
    if (fd < 0)
        (void)fprintf(stderr, "--password-file %s: %s\n", path, strerror(errno));
    else if (!ok || too_long)
        (void)fprintf(stderr, "--password-file %s: %s\n", path,
                      too_long ? "Password is too long" : "it is empty");
    else
        p3d_secret_set(ret, p3d_str_z(line));
    p3d_wipe(line, sizeof(line));
    if (!standard && fd >= 0)
        (void)close(fd);
    return ok && !too_long;
}

/* Out of the environment, so that no child gets it. Only with `take` it is the password: what is
 * left there from making the admin must not become somebody else's. */
static bool from_environment(bool take, struct p3d_secret *ret)
{
    char *value = getenv("ADMIN_PASSWORD");
    if (value == NULL)
        return false;
    size_t n = strlen(value);
    if (take)
        p3d_secret_set(ret, (struct p3d_str){value, n <= P3D_SECRET_MAX ? n : 0});
    p3d_wipe(value, n);
    (void)unsetenv("ADMIN_PASSWORD");
    return take;
}

static int ask_password(struct p3d_options *o, bool environment, struct p3d_secret *ret)
{
    const char *file = o->value[P3D_OPT_PASSWORD_FILE];
    bool in_environment = from_environment(environment, ret);
    if (o->value[P3D_OPT_PASSWORD] != NULL && file != NULL) {
        (void)fputs("--password and --password-file: one of them\n", stderr);
        return P3D_EXIT_USAGE;
    }
    if (o->value[P3D_OPT_PASSWORD] != NULL) {
        (void)fputs("warning: a password on the command line can be seen by other users of this "
                    "machine and stays "
                    "in the shell's history; --password-file is safer\n",
                    stderr);
        if (o->password_too_long) {
            (void)fputs("Password is too long\n", stderr);
            return P3D_EXIT_REFUSED;
        }
        p3d_secret_set(ret, (struct p3d_str){(const char *)o->password.p, o->password.n});
        return 0;
    }
    if (file != NULL)
        return from_file(file, ret) ? 0 : P3D_EXIT_REFUSED;
    if (in_environment)
        return 0;
    if (!p3d_ask_possible()) {
        (void)fprintf(stderr, "no password: give --password-file FILE (- is standard input)%s\n",
                      environment ? " or set ADMIN_PASSWORD" : "");
        return P3D_EXIT_USAGE;
    }
    return ask_twice(ret) ? 0 : P3D_EXIT_REFUSED;
}

int p3d_ask_password_hash(struct p3d_options *o, const struct p3d_config *cfg, bool environment,
                          char dst[P3D_PASSWORD_HASH_SIZE])
{
    struct p3d_secret password = {0};
    struct p3d_error err = {0};
    int rc = ask_password(o, environment, &password);
    struct p3d_str text = {(const char *)password.p, password.n};
    if (rc == 0 && p3d_password_check(text, cfg->security_password_min_length, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.detail);
        rc = P3D_EXIT_REFUSED;
    }
    if (rc == 0)
        p3d_password_hash(text, (unsigned)cfg->security_password_iterations, dst);
    p3d_secret_done(&password);
    return rc;
}
