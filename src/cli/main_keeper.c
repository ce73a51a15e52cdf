/* perjoule-keeper: the program under which an engine runs (engine/keeper.h). A program of its own,
 * linked with libc and nothing else, because one stands beside every engine for as long as it
 * serves: a few MiB there would be memory that the measured machine lacks. Lives beside
 * perjoule-lab.
 */
#include "engine/keeper.h"

int main(int argc, char **argv)
{
    return pji_keeper_main(argc, argv);
}
