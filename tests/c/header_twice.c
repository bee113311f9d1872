/*
 * The header compiles alone, before any other, and a second time; and what it declares links.
 */
#include "shmrr.h"

#include "shmrr.h"

#ifndef RR_OPTIONS_INIT
#error "RR_OPTIONS_INIT is not defined"
#endif

static const rr_options options = RR_OPTIONS_INIT;
static const rr_stats stats = RR_STATS_INIT;

int main(void)
{
    return options.size == sizeof(rr_options) && stats.size == sizeof(rr_stats) && rr_version() ? 0 : 1;
}
