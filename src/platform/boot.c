/* platform/boot.c - which boot of the machine this is: /proc/sys/kernel/random/boot_id, random(4).
 */
#include "platform/process.h"

#include <stdio.h>
#include <string.h>

void pji_boot_id(char *text, size_t size)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    text[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(text, (int)size, file) != NULL)
        text[strcspn(text, "\n")] = '\0';
    fclose(file);
}
