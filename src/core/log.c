/* core/log.c - formats on the caller's stack: one call of the sink for each message, no memory. */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

void pji_log(const struct pji_log *log, enum pji_log_level level, const char *format, ...)
{
    if (!log || !log->write)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        log->write(log->context, level, text);
}
