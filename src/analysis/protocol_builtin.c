/* Protocols that come with the program. Their text is that of protocols/NAME.yaml, made into a C
 * string by the build, so that the name works wherever the program stands. */
#include "analysis/protocol.h"

#include <string.h>

extern const char pji_protocol_text_greenlab[];

const char *pji_protocol_builtin(const char *name)
{
    return strcmp(name, "greenlab") == 0 ? pji_protocol_text_greenlab : NULL;
}
