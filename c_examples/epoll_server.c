/*
 * epoll_server server SOCKET: a server that waits for everything with epoll: for new clients on a Unix socket, for
 * requests on an eventfd, for SIGINT and SIGTERM, which end it. The reply to a text is the text in capitals.
 *
 * epoll_server client SOCKET N: a client. It sends N texts and checks the replies.
 *
 * The channel has no name: every client that connects is passed its descriptor and the eventfd's, which it signals with
 * each request. Clients wait for replies in calls: a server handle has one eventfd for replies, and clients that shared
 * it would take each other's signals.
 */
#define _GNU_SOURCE

#include "shmrr.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH 16
#define TIMEOUT INT64_C(30000000000)

/* ---- descriptors over a Unix socket: SCM_RIGHTS of unix(7) ---- */

enum { CHANNEL_FD, REQUEST_FD, FDS };

typedef union fds_control {
    char bytes[CMSG_SPACE(FDS * sizeof(int))];
    struct cmsghdr aligned;
} fds_control;

static struct msghdr fds_message(struct iovec *text, fds_control *control)
{
    struct msghdr message = {.msg_iov = text, .msg_iovlen = 1};
    memset(control, 0, sizeof *control);
    message.msg_control = control;
    message.msg_controllen = sizeof *control;
    return message;
}

static int send_fds(int connection, const int fds[FDS])
{
    fds_control control;
    struct iovec text = {"", 1};
    struct msghdr message = fds_message(&text, &control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(FDS * sizeof *fds);
    memcpy(CMSG_DATA(header), fds, FDS * sizeof *fds);
    return sendmsg(connection, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_fds(int connection, int fds[FDS])
{
    fds_control control;
    char byte;
    struct iovec text = {&byte, 1};
    struct msghdr message = fds_message(&text, &control);
    if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0)
        return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(FDS * sizeof *fds))
        return -EPROTO;
    memcpy(fds, CMSG_DATA(header), FDS * sizeof *fds);
    return 0;
}

/* A socket, and what bind or connect makes of it. */
static int socket_at(const char *path, int (*join)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made >= 0 && join(made, (struct sockaddr *)&address, sizeof address) == 0)
        return made;
    int code = -errno;
    if (made >= 0)
        close(made);
    return code;
}

/* ---- the server ---- */

static uint64_t clients, replies;

/* All that a client needs is in one message. Should the client have gone meanwhile, that is its own affair. */
static void welcome(int listener, rr_channel *channel)
{
    const int fds[FDS] = {[CHANNEL_FD] = rr_channel_fd(channel), [REQUEST_FD] = rr_channel_request_fd(channel)};
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return;
    clients += send_fds(connection, fds) == 0;
    close(connection);
}

static int answer(rr_server *server, const rr_view *request)
{
    rr_buffer reply = RR_BUFFER_INIT;
    int code = rr_reply_loan(server, request->id, &reply);
    if (code < 0)
        return code;
    reply.length = request->length < reply.capacity ? request->length : reply.capacity;
    for (size_t k = 0; k < reply.length; k++)
        ((unsigned char *)reply.data)[k] = (unsigned char)toupper(((const unsigned char *)request->data)[k]);
    return rr_reply_commit(server, &reply);
}

/* Takes a batch; if there may be more, signals itself, so that other descriptors have their turn between. */
static int serve(rr_server *server, rr_channel *channel)
{
    rr_view views[BATCH];
    rr_channel_consume_requests(channel);
    int64_t taken = rr_drain(server, views, sizeof(rr_view), BATCH);
    for (int64_t k = 0; k < taken; k++) {
        int code = answer(server, &views[k]);
        if (code < 0 && code != -ESTALE) /* the client gave up: its reply has nowhere to go */
            return code;
        replies += code == 0;
    }
    if (taken == BATCH)
        return rr_channel_notify_requests(channel);
    return taken < 0 && taken != -EAGAIN ? (int)taken : 0;
}

static int run(rr_server *server, int listener, int signals, int epoll)
{
    rr_channel *channel = rr_server_channel(server);
    const int watched[] = {listener, signals, rr_channel_request_fd(channel)};
    for (size_t k = 0; k < sizeof watched / sizeof *watched; k++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = watched[k]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, watched[k], &wanted) < 0)
            return -errno;
    }
    int code = 0;
    while (code == 0) {
        struct epoll_event event;
        if (epoll_wait(epoll, &event, 1, -1) < 0)
            code = errno == EINTR ? 0 : -errno;
        else if (event.data.fd == signals)
            break;
        else if (event.data.fd == listener)
            welcome(listener, channel);
        else
            code = serve(server, channel);
    }
    return code;
}

static int run_server(const char *path, rr_error *error)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    rr_server *server;
    int code = rr_server_new_memfd("capitals", NULL, &server, error);
    if (code < 0)
        return code;

    umask(077); /* whoever can connect is given the channel */
    int listener = socket_at(path, bind);
    if (listener >= 0) {
        int signals = signalfd(-1, &ending, SFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
        code = listen(listener, SOMAXCONN) < 0 ? -errno : 0;
        if (code == 0) {
            printf("serving %s, pid %ld\n", path, (long)getpid());
            fflush(stdout);
            code = run(server, listener, signals, epoll);
            printf("%" PRIu64 " replies to %" PRIu64 " clients\n", replies, clients);
        }
        unlink(path);
        close(listener);
        close(signals);
        close(epoll);
    }
    rr_server_free(server);
    return listener < 0 ? listener : code;
}

/* ---- a client ---- */

static int64_t ask(rr_client *client, long n)
{
    for (long k = 0; k < n; k++) {
        char text[64], reply[64];
        int length = snprintf(text, sizeof text, "text %ld of process %ld", k, (long)getpid());
        int64_t got = rr_client_req(client, text, (size_t)length, reply, sizeof reply, TIMEOUT);
        if (got < 0)
            return got;
        snprintf(text, sizeof text, "TEXT %ld OF PROCESS %ld", k, (long)getpid());
        if (got != length || memcmp(reply, text, (size_t)length) != 0)
            return -EBADMSG;
    }
    return 0;
}

static int run_client(const char *path, long n, rr_error *error)
{
    int connection = socket_at(path, connect), fds[FDS];
    if (connection < 0)
        return connection;
    int64_t code = receive_fds(connection, fds);
    close(connection);
    if (code < 0)
        return (int)code;
    rr_options options = RR_OPTIONS_INIT;
    options.flags = RR_OPT_NOTIFY;
    rr_client *client;
    code = rr_client_from_fd(fds[CHANNEL_FD], &options, &client, error);
    if (code == 0)
        code = rr_channel_request_fd_set(rr_client_channel(client), fds[REQUEST_FD]);
    close(fds[CHANNEL_FD]);
    close(fds[REQUEST_FD]);
    if (code == 0)
        code = ask(client, n);
    rr_client_free(client);
    if (code == 0)
        printf("%ld texts came back in capitals\n", n);
    return (int)code;
}

int main(int argc, char **argv)
{
    int is_server = argc == 3 && strcmp(argv[1], "server") == 0;
    if (!is_server && (argc != 4 || strcmp(argv[1], "client") != 0)) {
        fprintf(stderr, "usage: %s server SOCKET\n       %s client SOCKET N\n", argv[0], argv[0]);
        return 2;
    }
    rr_error error = {0};
    int code = is_server ? run_server(argv[2], &error) : run_client(argv[2], strtol(argv[3], NULL, 10), &error);
    if (code < 0)
        fprintf(stderr, "epoll_server: %s: %s\n", argv[2], error.code < 0 ? error.message : strerror(-code));
    return code < 0 ? 1 : 0;
}
