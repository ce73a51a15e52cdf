/* actor.h - a test program of this folder is also the keeper, and the engines that the keeper
 * keeps: the same executable started with another first argument.
 */
#ifndef TESTS_ENGINE_ACTOR_H
#define TESTS_ENGINE_ACTOR_H

#include <stdbool.h>

/* Every actor's environment holds this entry with the test's own value. */
#define ACTOR_MARK "PERJOULE_TEST_TREE"

/* Plays the part that argv names, and then does not return normally: *code is the exit code. False:
 * argv names none, the program is the test itself. */
bool actor_play(int argc, char **argv, int *code);

/* {this executable, "keeper", NULL} */
const char *const *actor_keeper_argv(void);
/* {this executable, "engine", part, argument, NULL} in out. */
void actor_engine_argv(const char *part, const char *argument, const char *out[5]);

/* Number of live processes (no zombies) whose environment holds the mark with this value. */
int actor_count(const char *mark);
/* How many are left now that all should be gone. Under AddressSanitizer after a wait: its leak
 * checker is a short-lived process of its own with the same environment. */
int actor_left(const char *mark);
/* Waits until the number is `wanted`, at most 30 s; returns the last number seen. */
int actor_await_count(const char *mark, int wanted);

#endif
