/* How much later does a command start under perjoule measure? In one run, alternating: a bare
 * fork + exec, and the same through perjoule. The child writes the time at which its main() began.
 *
 *     start_cost PERJOULE [RUNS [ARG…]]     ARG…: further options of measure (--root DIR)
 *
 * Prints medians and the 95th percentile in milliseconds; exit code 1 when the target is missed.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RUNS = 2000, MAX_ARGS = 32 };

static const double target_ms = 5;

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Milliseconds from here to main() of the last program in argv. */
static double start_ms(char **argv)
{
    int64_t began_ns = 0, before_ns;
    int fds[2];
    pid_t pid;

    if (pipe(fds) < 0)
        exit(2);
    before_ns = now_ns();
    pid = fork();
    if (pid == 0) {
        if (dup2(fds[1], STDOUT_FILENO) < 0 || !freopen("/dev/null", "w", stderr))
            _exit(2);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(fds[1]);
    if (pid < 0 || read(fds[0], &began_ns, sizeof began_ns) != (ssize_t)sizeof began_ns) {
        (void)fprintf(stderr, "start_cost: %s did not start\n", argv[0]);
        exit(2);
    }
    (void)close(fds[0]);
    (void)waitpid(pid, NULL, 0);
    return (double)(began_ns - before_ns) / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(double *values, int n, double q)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[(int)(q * (n - 1) + 0.5)];
}

int main(int argc, char **argv)
{
    static double bare[MAX_RUNS], measured[MAX_RUNS];
    char *plain[] = {argv[0], NULL, NULL};
    char *wrapped[MAX_ARGS] = {NULL};
    char stamp[] = "--stamp", measure[] = "measure", dashes[] = "--";
    int runs = argc > 2 ? atoi(argv[2]) : 300;
    int n = 0;

    if (argc == 2 && strcmp(argv[1], stamp) == 0) {
        int64_t t_ns = now_ns();

        return write(STDOUT_FILENO, &t_ns, sizeof t_ns) != (ssize_t)sizeof t_ns;
    }
    if (argc < 2 || runs < 1 || runs > MAX_RUNS || argc > MAX_ARGS - 5)
        return 2;
    plain[1] = stamp;
    wrapped[n++] = argv[1];
    wrapped[n++] = measure;
    for (int i = 3; i < argc; i++)
        wrapped[n++] = argv[i];
    wrapped[n++] = dashes;
    wrapped[n++] = argv[0];
    wrapped[n++] = stamp;
    for (int i = 0; i < runs; i++) {
        bare[i] = start_ms(plain);
        measured[i] = start_ms(wrapped);
    }
    {
        double bare_ms = quantile(bare, runs, 0.5), measured_ms = quantile(measured, runs, 0.5);
        double more_ms = measured_ms - bare_ms;

        (void)printf("start to main() of the command, %d runs each\n"
                     "  bare fork + exec   median %.3f ms, 95 %% %.3f ms\n"
                     "  perjoule measure   median %.3f ms, 95 %% %.3f ms\n"
                     "  difference         %.3f ms (target: <= %.0f ms)\n",
                     runs, bare_ms, quantile(bare, runs, 0.95), measured_ms,
                     quantile(measured, runs, 0.95), more_ms, target_ms);
        return more_ms > target_ms;
    }
}
