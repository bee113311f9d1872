/*
 * Eventfds as descriptors: those that a handle makes, and those that it adopts.
 */
#include "eventfds.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void expect_never_blocks_and_closes_on_exec(int fd)
{
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* ---- a handle's own ---- */

static void a_handle_has_one_descriptor_for_requests_and_one_for_replies(void)
{
    pair channel = open_pair(2);
    rr_channel *handles[] = {rr_server_channel(channel.server), rr_client_channel(channel.client)};
    for (size_t k = 0; k < LENGTH(handles); k++) {
        int requests = rr_channel_request_fd_make(handles[k]), replies = rr_channel_reply_fd_make(handles[k]);
        CHECK(requests >= 0 && replies >= 0 && requests != replies);
        expect_never_blocks_and_closes_on_exec(requests);
        expect_never_blocks_and_closes_on_exec(replies);
        EXPECT(rr_channel_request_fd_make(handles[k]), requests);
        EXPECT(rr_channel_request_fd(handles[k]), requests);
        EXPECT(rr_channel_reply_fd_make(handles[k]), replies);
        EXPECT(rr_channel_reply_fd(handles[k]), replies);
    }
    EXPECT(rr_channel_notify_requests(handles[1]), 0);
    EXPECT(rr_channel_consume_requests(handles[0]), 0);
    EXPECT(rr_channel_consume_requests(handles[1]), 1);
    close_pair(&channel);
}

static void the_descriptors_are_closed_with_their_handle(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int own = rr_channel_request_fd_make(handle);
    EXPECT(rr_channel_reply_fd_set(handle, own), 0);
    int adopted = rr_channel_reply_fd(handle);
    CHECK(own >= 0 && adopted >= 0 && own != adopted);
    close_pair(&channel);
    CHECK(fcntl(own, F_GETFD) == -1 && errno == EBADF);
    CHECK(fcntl(adopted, F_GETFD) == -1 && errno == EBADF);
}

static void asking_makes_none(void)
{
    pair channel = open_pair(2);
    const rr_channel *handle = rr_server_channel(channel.server);
    int next = next_descriptor();
    EXPECT(rr_channel_request_fd(handle), -ENXIO);
    EXPECT(rr_channel_reply_fd(handle), -ENXIO);
    EXPECT(next_descriptor(), next);
    CHECK(rr_channel_request_fd_make(rr_server_channel(channel.server)) >= 0);
    CHECK(rr_channel_request_fd(handle) >= 0);
    EXPECT(rr_channel_reply_fd(handle), -ENXIO);
    close_pair(&channel);
}

typedef struct first_call {
    rr_channel *channel;
    pthread_barrier_t *start;
    int fd;
    pthread_t thread;
} first_call;

static void *ask_for_fd(void *context)
{
    first_call *mine = (first_call *)context;
    pthread_barrier_wait(mine->start);
    mine->fd = rr_channel_request_fd_make(mine->channel);
    return NULL;
}

static void threads_that_ask_first_at_once_get_the_same_descriptor(void)
{
    pair channel = open_pair(2);
    pthread_barrier_t start;
    first_call calls[4];
    CHECK(pthread_barrier_init(&start, NULL, LENGTH(calls)) == 0);
    for (size_t k = 0; k < LENGTH(calls); k++) {
        calls[k].channel = rr_server_channel(channel.server);
        calls[k].start = &start;
        CHECK(pthread_create(&calls[k].thread, NULL, ask_for_fd, &calls[k]) == 0);
    }
    for (size_t k = 0; k < LENGTH(calls); k++) {
        CHECK(pthread_join(calls[k].thread, NULL) == 0);
        CHECK(calls[k].fd >= 0);
        EXPECT(calls[k].fd, calls[0].fd);
    }
    CHECK(pthread_barrier_destroy(&start) == 0);
    close_pair(&channel);
}

static void without_a_descriptor_there_is_nothing_to_signal_or_to_consume(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    EXPECT(rr_channel_notify_requests(handle), -ENXIO);
    EXPECT(rr_channel_consume_requests(handle), -ENXIO);
    CHECK(rr_channel_request_fd_make(handle) >= 0);
    EXPECT(rr_channel_notify_requests(handle), 0);
    EXPECT(rr_channel_notify_replies(handle), -ENXIO);
    EXPECT(rr_channel_consume_replies(handle), -ENXIO);
    close_pair(&channel);
}

/* ---- adopted ones ---- */

typedef int (*adopting)(rr_channel *, int);

static const adopting ADOPTING[] = {rr_channel_request_fd_set, rr_channel_reply_fd_set};

static void an_adopted_descriptor_is_duplicated_and_its_owner_may_close_it(void)
{
    pair channel = open_pair(2);
    rr_channel *from = rr_server_channel(channel.server), *to = rr_client_channel(channel.client);
    int requests = new_eventfd(0), replies = new_eventfd(0);
    EXPECT(rr_channel_request_fd_set(from, requests), 0);
    EXPECT(rr_channel_request_fd_set(to, requests), 0);
    EXPECT(rr_channel_reply_fd_set(from, replies), 0);
    EXPECT(rr_channel_reply_fd_set(to, replies), 0);
    CHECK(close(requests) == 0 && close(replies) == 0);
    expect_never_blocks_and_closes_on_exec(rr_channel_request_fd(to));
    expect_never_blocks_and_closes_on_exec(rr_channel_reply_fd(to));
    EXPECT(rr_channel_request_fd(to), rr_channel_request_fd_make(to));
    CHECK(rr_channel_request_fd(from) != rr_channel_request_fd(to));
    EXPECT(rr_channel_notify_requests(from), 0);
    EXPECT(rr_channel_consume_replies(to), 0);
    EXPECT(rr_channel_consume_requests(to), 1);
    EXPECT(rr_channel_notify_replies(from), 0);
    EXPECT(rr_channel_consume_requests(to), 0);
    EXPECT(rr_channel_consume_replies(to), 1);
    close_pair(&channel);
}

static void an_adopted_descriptor_outlives_the_handle_that_made_it(void)
{
    wired at = open_wired(RR_KIND_BYTES, 0, 0);
    rr_server_free(at.channel.server);
    EXPECT(rr_channel_notify_requests(at.at_client), 0);
    EXPECT(rr_channel_consume_requests(at.at_client), 1);
    rr_client_free(at.channel.client);
}

static void what_is_no_open_eventfd_is_refused_and_leaves_nothing(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int ends[2], sockets[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    int others[] = {ends[0], ends[1], sockets[0], open("/dev/null", O_RDWR | O_CLOEXEC),
                    open("/proc/self/stat", O_RDONLY | O_CLOEXEC), epoll_create1(EPOLL_CLOEXEC),
                    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), rr_channel_fd(handle)};
    int closed = new_eventfd(EFD_CLOEXEC);
    CHECK(close(closed) == 0);
    int next = next_descriptor();
    for (size_t k = 0; k < LENGTH(ADOPTING); k++) {
        const int numbers[] = {-2, INT_MIN, closed, INT_MAX};
        for (size_t n = 0; n < LENGTH(numbers); n++)
            EXPECT(ADOPTING[k](handle, numbers[n]), -EBADF);
        for (size_t n = 0; n < LENGTH(others); n++) {
            CHECK(others[n] >= 0);
            EXPECT(ADOPTING[k](handle, others[n]), -EINVAL);
        }
    }
    EXPECT(next_descriptor(), next);
    EXPECT(rr_channel_notify_requests(handle), -ENXIO);
    EXPECT(rr_channel_notify_replies(handle), -ENXIO);
    for (size_t n = 0; n + 1 < LENGTH(others); n++)
        close(others[n]);
    close(sockets[1]);
    close_pair(&channel);
}

static void consuming_an_adopted_semaphore_takes_the_whole_count(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int semaphore = new_eventfd(EFD_SEMAPHORE);
    EXPECT(rr_channel_request_fd_set(handle, semaphore), 0);
    for (int k = 0; k < 5; k++)
        EXPECT(rr_channel_notify_requests(handle), 0);
    EXPECT(rr_channel_consume_requests(handle), 5);
    CHECK(!is_ready(semaphore));
    EXPECT(rr_channel_consume_requests(handle), 0);
    close(semaphore);
    close_pair(&channel);
}

static void one_that_blocked_before_it_was_adopted_blocks_no_more(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int blocking = new_eventfd(0);
    CHECK(!(fcntl(blocking, F_GETFL) & O_NONBLOCK));
    EXPECT(rr_channel_request_fd_set(handle, blocking), 0);
    EXPECT(rr_channel_consume_requests(handle), 0);
    EXPECT(rr_channel_notify_requests(handle), 0);
    EXPECT(rr_channel_consume_requests(handle), 1);
    close(blocking);
    close_pair(&channel);
}

static void a_process_without_a_descriptor_left_is_told_so_and_can_try_again(void)
{
    pair channel = open_pair(1);
    rr_channel *handle = rr_server_channel(channel.server);
    struct rlimit before, none;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    int requests = rr_channel_request_fd_make(handle), replies = rr_channel_reply_fd_make(handle);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    EXPECT(requests, -EMFILE);
    EXPECT(replies, -EMFILE);
    CHECK(rr_channel_request_fd_make(handle) >= 0 && rr_channel_reply_fd_make(handle) >= 0);
    close_pair(&channel);
}

/* ---- instead of what there is ---- */

static void a_replaced_descriptor_is_signalled_no_more(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int first = new_eventfd(0), second = new_eventfd(0);
    int own = dup(rr_channel_request_fd_make(handle));
    EXPECT(rr_channel_request_fd_set(handle, first), 0);
    CHECK(rr_channel_request_fd(handle) >= 0);
    EXPECT(rr_channel_notify_requests(handle), 0);
    CHECK(is_ready(first) && !is_ready(own));
    close(own);
    EXPECT(rr_channel_request_fd_set(handle, second), 0);
    EXPECT(rr_channel_consume_requests(handle), 0);
    EXPECT(rr_channel_notify_requests(handle), 0);
    EXPECT(rr_channel_notify_requests(handle), 0);
    EXPECT(rr_channel_consume_requests(handle), 2);
    uint64_t count;
    CHECK(read(first, &count, sizeof count) == sizeof count && count == 1);
    EXPECT(rr_channel_reply_fd_set(handle, first), 0);
    EXPECT(rr_channel_reply_fd_set(handle, second), 0);
    EXPECT(rr_channel_notify_replies(handle), 0);
    CHECK(!is_ready(first) && is_ready(second));
    EXPECT(rr_channel_request_fd_set(handle, rr_channel_request_fd(handle)), 0);
    EXPECT(rr_channel_consume_requests(handle), 1);
    expect_never_blocks_and_closes_on_exec(rr_channel_request_fd(handle));
    close(first);
    close(second);
    close_pair(&channel);
}

static void what_is_refused_leaves_the_descriptor_there_is(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int own = rr_channel_request_fd_make(handle);
    EXPECT(rr_channel_request_fd_set(handle, rr_channel_fd(handle)), -EINVAL);
    EXPECT(rr_channel_request_fd_set(handle, -2), -EBADF);
    EXPECT(rr_channel_request_fd(handle), own);
    EXPECT(rr_channel_notify_requests(handle), 0);
    EXPECT(rr_channel_consume_requests(handle), 1);
    close_pair(&channel);
}

static void minus_one_drops_the_descriptor(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int other = new_eventfd(0);
    for (size_t k = 0; k < LENGTH(ADOPTING); k++)
        EXPECT(ADOPTING[k](handle, -1), 0);
    EXPECT(rr_channel_request_fd_set(handle, other), 0);
    CHECK(rr_channel_reply_fd_make(handle) >= 0);
    EXPECT(rr_channel_request_fd_set(handle, -1), 0);
    EXPECT(rr_channel_request_fd(handle), -ENXIO);
    EXPECT(rr_channel_notify_requests(handle), -ENXIO);
    EXPECT(rr_channel_consume_requests(handle), -ENXIO);
    EXPECT(rr_channel_notify_replies(handle), 0);
    EXPECT(rr_channel_reply_fd_set(handle, -1), 0);
    EXPECT(rr_channel_notify_replies(handle), -ENXIO);
    CHECK(!is_ready(other));
    /* A new one has no signals of the old one. */
    CHECK(rr_channel_reply_fd_make(handle) >= 0);
    EXPECT(rr_channel_consume_replies(handle), 0);
    close(other);
    close_pair(&channel);
}

static void replacing_again_and_again_takes_no_more_descriptors_and_leaves_none(void)
{
    int before = next_descriptor();
    pair channel = open_pair(2);
    rr_channel *handle = rr_server_channel(channel.server);
    int others[] = {new_eventfd(0), new_eventfd(0)}, next = 0;
    for (int k = 0; k < 100; k++) {
        EXPECT(rr_channel_request_fd_set(handle, others[k % 2]), 0);
        EXPECT(rr_channel_request_fd_set(handle, k % 3 ? others[0] : -1), 0);
        CHECK(rr_channel_request_fd_make(handle) >= 0);
        if (k == 3)
            next = next_descriptor();
    }
    EXPECT(next_descriptor(), next);
    close(others[0]);
    close(others[1]);
    close_pair(&channel);
    EXPECT(next_descriptor(), before);
}

int main(void)
{
    RUN(a_handle_has_one_descriptor_for_requests_and_one_for_replies);
    RUN(the_descriptors_are_closed_with_their_handle);
    RUN(asking_makes_none);
    RUN(threads_that_ask_first_at_once_get_the_same_descriptor);
    RUN(a_process_without_a_descriptor_left_is_told_so_and_can_try_again);
    RUN(without_a_descriptor_there_is_nothing_to_signal_or_to_consume);
    RUN(an_adopted_descriptor_is_duplicated_and_its_owner_may_close_it);
    RUN(an_adopted_descriptor_outlives_the_handle_that_made_it);
    RUN(what_is_no_open_eventfd_is_refused_and_leaves_nothing);
    RUN(consuming_an_adopted_semaphore_takes_the_whole_count);
    RUN(one_that_blocked_before_it_was_adopted_blocks_no_more);
    RUN(a_replaced_descriptor_is_signalled_no_more);
    RUN(what_is_refused_leaves_the_descriptor_there_is);
    RUN(minus_one_drops_the_descriptor);
    RUN(replacing_again_and_again_takes_no_more_descriptors_and_leaves_none);
    return 0;
}
