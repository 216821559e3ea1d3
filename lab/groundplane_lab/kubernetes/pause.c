/* pause: holds a pod's namespaces open, reaps its orphans and ends when told to. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void finish(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, NULL, WNOHANG) > 0) { } }

int main(void) {
    if (signal(SIGINT, finish) == SIG_ERR || signal(SIGTERM, finish) == SIG_ERR || signal(SIGCHLD, reap) == SIG_ERR)
        return 1;
    for (;;) pause();
}
