/* support/stub_process.h - starts tests/stub/stub_server on a free port of 127.0.0.1 and ends it.
 *
 *     struct stub stub;
 *     stub_open(&stub, (const char *[]){"--tokens", "8", NULL});
 *     … stub.base_url, stub.port …
 *     stub_close(&stub);
 * The server dies with the test program. Every function here ends the test program with a message
 * when the system refuses.
 */
#ifndef TEST_SUPPORT_STUB_PROCESS_H
#define TEST_SUPPORT_STUB_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

struct stub {
    pid_t pid;
    int port;
    char base_url[64]; /* "http://127.0.0.1:PORT/v1" */
    char root_url[64]; /* "http://127.0.0.1:PORT" */
};

/* $PERJOULE_BUILD_ROOT/tests/stub/stub_server, else below the working directory. */
void stub_path(char *path, size_t size);
void stub_open(struct stub *stub, const char *const *args);
void stub_close(struct stub *stub); /* KILL and reap; also after it ended by itself */

#endif
