/*
 * Eventfds that are replaced while threads signal them, take their signals and ask for them.
 */
#include "eventfds.h"

typedef struct signaller {
    rr_channel *channel;
    int *stop;
    pthread_t thread;
} signaller;

static void *signal_until_stopped(void *context)
{
    signaller *mine = (signaller *)context;
    while (!__atomic_load_n(mine->stop, __ATOMIC_ACQUIRE)) {
        int told = rr_channel_notify_requests(mine->channel);
        CHECK(told == 0 || told == -ENXIO);
        CHECK(rr_channel_consume_requests(mine->channel) >= -ENXIO);
        int fd = rr_channel_request_fd(mine->channel);
        CHECK(fd > 2 || fd == -ENXIO);
        if (told != 0)
            CHECK(rr_channel_request_fd_make(mine->channel) > 2);
    }
    return NULL;
}

/* The program's files take every number that is handed back; whoever writes to such a number is found in them. */
static void threads_that_signal_while_another_replaces_write_to_no_other_file(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int others[] = {new_eventfd(0), new_eventfd(0)}, stop = 0;
    signaller signallers[3];
    for (size_t k = 0; k < LENGTH(signallers); k++) {
        signallers[k].channel = handle;
        signallers[k].stop = &stop;
        CHECK(pthread_create(&signallers[k].thread, NULL, signal_until_stopped, &signallers[k]) == 0);
    }
    for (int k = 0; k < 1000; k++) {
        EXPECT(rr_channel_request_fd_set(handle, k % 5 ? others[k % 2] : -1), 0);
        int ends[2];
        CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        sched_yield();
        char byte;
        CHECK(read(ends[0], &byte, 1) == -1 && errno == EAGAIN);
        close(ends[0]);
        close(ends[1]);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (size_t k = 0; k < LENGTH(signallers); k++)
        CHECK(pthread_join(signallers[k].thread, NULL) == 0);
    /* Each thread had set aside one at most at any time. */
    CHECK(next_descriptor() < 40);
    EXPECT(rr_channel_request_fd_set(handle, others[0]), 0);
    uint64_t count;
    (void)!read(others[0], &count, sizeof count);
    (void)fcntl(others[1], F_SETFL, O_NONBLOCK);
    (void)!read(others[1], &count, sizeof count);
    EXPECT(rr_channel_notify_requests(handle), 0);
    CHECK(is_ready(others[0]) && !is_ready(others[1]));
    close(others[0]);
    close(others[1]);
    close_pair(&channel);
}

int main(void)
{
    RUN(threads_that_signal_while_another_replaces_write_to_no_other_file);
    return 0;
}
