/*
 * A server that was woken and leaves a request wakes the next: the ring that woke it was for all who sleep. One that
 * sleeps would else look by itself a second after it fell asleep.
 *
 * Which of two sleepers is woken, and what happens between its look and its claim, is arranged by hand, by the offsets
 * of docs/FORMAT.md.
 */
#include "fixture.h"

#include <sys/mman.h>

#define PAGE 4096
#define WORK_BELL 512
#define ROUNDS 8
/* Of the rounds the quickest counts: a machine that is busy delays some. */
#define SOON (600 * MS)

/* A channel in whose memory each slot is a page of its own, and that of one server's mapping. */
static rr_options one_page_a_slot(void)
{
    rr_options options = with_slots(4);
    options.participants = 20;
    options.request_max = 3712;
    options.response_max = 128;
    options.spin_ns = -1;
    return options;
}

static unsigned char *only_mapping(void)
{
    char line[512];
    unsigned long found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps))
        if (strstr(line, " rw-s ") && strstr(line, "memfd:shmrr")) {
            CHECK(found == 0);
            found = strtoul(line, NULL, 16);
        }
    fclose(maps);
    CHECK(found != 0);
    return (unsigned char *)found; /* NOLINT */
}

typedef struct scene {
    rr_server *first, *second, *third;
    rr_client *client;
    unsigned char *memory;
} scene;

static scene set_scene(void)
{
    scene at;
    rr_options options = one_page_a_slot();
    EXPECT(rr_server_new(NULL, &options, &at.first, NULL), 0);
    at.memory = only_mapping();
    int fd = rr_channel_fd(rr_server_channel(at.first));
    EXPECT(rr_server_from_fd(fd, &options, &at.second, NULL), 0);
    EXPECT(rr_server_from_fd(fd, &options, &at.third, NULL), 0);
    EXPECT(rr_client_from_server(at.first, &options, &at.client, NULL), 0);
    return at;
}

static void clear_scene(scene *at)
{
    rr_client_free(at->client);
    rr_server_free(at->third);
    rr_server_free(at->second);
    rr_server_free(at->first);
}

/* A server that waits in a thread of its own. */
typedef struct waiter {
    rr_server *server;
    size_t room;
    int64_t result, at;
    rr_request request;
    pid_t number;
    pthread_t thread;
} waiter;

static void *wait_for_request(void *context)
{
    waiter *self = (waiter *)context;
    char buffer[64];
    __atomic_store_n(&self->number, thread_id(), __ATOMIC_RELEASE);
    self->result = rr_recv_wait(self->server, buffer, self->room, &self->request, 60 * SECOND);
    self->at = now();
    return NULL;
}

/* Returns when it sleeps: those who began earlier are woken earlier. */
static void begin(waiter *self, rr_server *server, size_t room)
{
    uint64_t sleeps = stats_of(rr_server_channel(server)).sleeps;
    pid_t number;
    self->server = server;
    self->room = room;
    self->number = 0;
    CHECK(pthread_create(&self->thread, NULL, wait_for_request, self) == 0);
    while (stats_of(rr_server_channel(server)).sleeps == sleeps)
        sched_yield();
    while ((number = __atomic_load_n(&self->number, __ATOMIC_ACQUIRE)) == 0)
        sched_yield();
    until_asleep(number);
}

static void end(const waiter *self)
{
    CHECK(pthread_join(self->thread, NULL) == 0);
}

static void finish(const scene *at, rr_server *server, uint64_t taken, uint64_t sent)
{
    char buffer[8];
    CHECK(taken == sent);
    reply_text(server, taken, "reply");
    EXPECT(rr_client_get(at->client, sent, buffer, sizeof buffer), 5);
}

static void one_who_has_no_room_for_a_request_wakes_one_who_may_have(void)
{
    scene at = set_scene();
    int64_t soonest = INT64_MAX;
    for (int k = 0; k < ROUNDS; k++) {
        waiter narrow, wide;
        begin(&narrow, at.first, 8);
        begin(&wide, at.second, 64);
        int64_t begun = now();
        uint64_t sent = send_text(at.client, "longer than eight bytes");
        end(&narrow);
        end(&wide);
        EXPECT(narrow.result, -EOVERFLOW);
        EXPECT(wide.result, 23);
        finish(&at, at.second, wide.request.id, sent);
        soonest = wide.at - begun < soonest ? wide.at - begun : soonest;
    }
    CHECK(soonest < SOON);
    clear_scene(&at);
}

/* ---- a claim that is lost ---- */

static scene *raced;
static uint64_t raced_for;

/* The first server is about to claim: somebody else is faster. */
static void claim_first(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    CHECK(mprotect(raced->memory + PAGE, (size_t)4 * PAGE, PROT_READ | PROT_WRITE) == 0);
    raced_for = take_text(raced->third, "one");
}

static void wake_one_by_hand(scene *at)
{
    uint64_t *bell = (uint64_t *)(void *)(at->memory + WORK_BELL);
    const int futex_wake = 1;
    EXPECT(syscall(SYS_futex, bell, futex_wake, 1, NULL, NULL, 0), 1);
}

static void one_who_lost_a_claim_wakes_the_next_when_it_takes_another_request(void)
{
    scene at = set_scene();
    int64_t soonest = INT64_MAX;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = claim_first;
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    raced = &at;
    for (int k = 0; k < ROUNDS; k++) {
        waiter loser, next;
        begin(&loser, at.first, 64);
        begin(&next, at.second, 64);
        /* As a ring leaves it: the announcement is taken, so that those who send now wake nobody. */
        __atomic_fetch_and((uint64_t *)(void *)(at.memory + WORK_BELL), ~UINT64_C(1), __ATOMIC_SEQ_CST);
        uint64_t one = send_text(at.client, "one"), two = send_text(at.client, "two");
        uint64_t three = send_text(at.client, "three");
        CHECK(mprotect(at.memory + PAGE, (size_t)4 * PAGE, PROT_READ) == 0);
        int64_t begun = now();
        wake_one_by_hand(&at);
        end(&loser);
        end(&next);
        EXPECT(loser.result, 3);
        EXPECT(next.result, 5);
        finish(&at, at.third, raced_for, one);
        finish(&at, at.first, loser.request.id, two);
        finish(&at, at.second, next.request.id, three);
        soonest = next.at - begun < soonest ? next.at - begun : soonest;
    }
    CHECK(soonest < SOON);
    CHECK(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
    clear_scene(&at);
}

int main(void)
{
    RUN(one_who_has_no_room_for_a_request_wakes_one_who_may_have);
    if (sysconf(_SC_PAGESIZE) == PAGE)
        RUN(one_who_lost_a_claim_wakes_the_next_when_it_takes_another_request);
    return 0;
}
