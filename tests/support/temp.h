/* support/temp.h - a folder of one test, removed again.
 *
 *     char dir[TEMP_PATH];
 *     temp_open(dir);                          // "/tmp/perjoule-test-XXXXXX"
 *     temp_write(dir, "sub/file", "text");     // makes the folders in between
 *     temp_close(dir);
 */
#ifndef TEST_SUPPORT_TEMP_H
#define TEST_SUPPORT_TEMP_H

enum { TEMP_PATH = 64 };

/* Every function here ends the test program with a message when the system refuses. */
void temp_open(char dir[TEMP_PATH]);
void temp_write(const char *dir, const char *path, const char *text);
void temp_close(const char *dir);

#endif
