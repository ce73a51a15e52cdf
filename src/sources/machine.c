/* See machine.h. */
#include "sources/machine.h"

#include "sources/cpu_info.h"

#include <string.h>
#include <sys/utsname.h>

json_t *pji_machine_facts(const struct pji_platform *platform)
{
    struct pji_cpu_info cpu;
    struct utsname name;

    pji_cpu_info_read(platform, &cpu);
    if (uname(&name) < 0)
        memset(&name, 0, sizeof name);
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:b}", "system", name.sysname,
                     "release", name.release, "architecture", name.machine, "cpu", cpu.name,
                     "sockets", cpu.sockets, "cores_per_socket", cpu.cores, "threads_per_socket",
                     cpu.threads, "virtual_machine", (int)cpu.virtual_machine, "rooted",
                     (int)platform->rooted);
}
