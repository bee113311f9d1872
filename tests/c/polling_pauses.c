/*
 * Messages through armed loops on both sides, with random pauses, in processes that know each other's channel by name. No
 * wake-up is lost: the loops have no timer, so a lost one would leave a loop waiting while something is there.
 *
 * SHMRR_LOOP_MESSAGES says how many messages.
 */
#include "loops.h"

#define CLIENTS 2
/* Fewer than the clients want at once. */
#define SLOTS 3
#define WINDOW 2
/* A loop that waited for so long with something there was not woken. */
#define TOO_LONG (3 * SECOND)

static uint32_t seed;

static uint32_t any_below(uint32_t limit)
{
    seed = seed * UINT32_C(1103515245) + 12345;
    return (seed >> 8) % limit;
}

static void rest(void)
{
    if (any_below(8) == 0)
        usleep(any_below(60));
}

/* Waits for the descriptor, for nothing else. `is_there` arms once more: 1 if a wake-up is missing. */
static void wait_for(int fd, int (*is_there)(void *), void *handle)
{
    while (!is_readable(fd, TOO_LONG)) {
        /* The peer may have paused, and something have come just now; then the wake-up is under way. */
        if (is_there(handle) && !is_readable(fd, TOO_LONG))
            CHECK(!"a wake-up was lost");
    }
}

static int request_is_there(void *server)
{
    return rr_server_arm((rr_server *)server) == 1;
}

static void run_server(const char *name, uint64_t messages)
{
    rr_server *server;
    seed = 7;
    EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
    int fd = rr_server_poll_fd(server);
    for (uint64_t k = 0; k < messages;) {
        uint64_t number;
        rr_request request;
        int64_t length = rr_recv(server, &number, sizeof number, &request);
        if (length == -EAGAIN) {
            rest();
            if (rr_server_arm(server) == 0)
                wait_for(fd, request_is_there, server);
            continue;
        }
        EXPECT(length, sizeof number);
        rest();
        number++;
        EXPECT(rr_reply(server, request.id, &number, sizeof number), 0);
        k++;
    }
    rr_server_free(server);
}

static uint32_t armed_for;

static int outcome_is_there(void *client)
{
    return rr_client_arm((rr_client *)client, armed_for) == 1;
}

static void run_client(const char *name, uint64_t messages, uint32_t number_of_client)
{
    rr_client *client;
    seed = number_of_client + 100;
    EXPECT(rr_client_new(name, NULL, &client, NULL), 0);
    int fd = rr_client_poll_fd(client);
    uint64_t sent = 0, collected = 0, ids[WINDOW] = {0, 0}, numbers[WINDOW] = {0, 0};
    while (collected < messages) {
        int is_full = 0, has_moved = 0;
        /* Now and then one at a time: no later message makes up for a wake-up that was lost. */
        uint32_t window = any_below(4) == 0 ? WINDOW : 1;
        for (uint32_t k = 0; k < window && sent < messages && !is_full; k++) {
            if (ids[k] != 0)
                continue;
            numbers[k] = sent;
            int code = rr_client_send(client, &numbers[k], sizeof numbers[k], &ids[k]);
            is_full = code == -ENOBUFS;
            if (is_full) {
                ids[k] = 0;
            } else {
                EXPECT(code, 0);
                sent++;
                has_moved = 1;
            }
        }
        rest();
        for (int k = 0; k < WINDOW; k++) {
            uint64_t reply;
            if (ids[k] == 0)
                continue;
            int64_t length = rr_client_get(client, ids[k], &reply, sizeof reply);
            if (length == -EAGAIN)
                continue;
            EXPECT(length, sizeof reply);
            CHECK(reply == numbers[k] + 1);
            ids[k] = 0;
            collected++;
            has_moved = 1;
        }
        if (has_moved)
            continue;
        armed_for = RR_ARM_REPLY | (is_full ? RR_ARM_SLOT : 0);
        if (rr_client_arm(client, armed_for) == 0)
            wait_for(fd, outcome_is_there, client);
    }
    rr_client_free(client);
}

static void no_wake_up_is_lost(void)
{
    const char *given = getenv("SHMRR_LOOP_MESSAGES");
    uint64_t messages = given ? strtoull(given, NULL, 10) : 20000;
    if (SANITIZED && !given)
        messages = 2000;
    const char *name = new_name();
    rr_server *first;
    rr_options options = with_slots(SLOTS);
    EXPECT(rr_server_new(name, &options, &first, NULL), 0);
    pid_t children[CLIENTS + 1];
    for (uint32_t k = 0; k <= CLIENTS; k++) {
        children[k] = fork_child();
        if (children[k] == 0) {
            alarm(0);
            if (k == 0)
                run_server(name, messages * CLIENTS);
            else
                run_client(name, messages, k);
            child_ends();
        }
    }
    for (int k = 0; k <= CLIENTS; k++)
        expect_ended_well(children[k]);
    rr_server_free(first);
}

int main(void)
{
    RUN(no_wake_up_is_lost);
    return 0;
}
