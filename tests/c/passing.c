/*
 * Descriptors that are passed over a Unix socket open the channel, and bring its signals, in a process that shares
 * nothing else with the passer: this program again, executed anew, told by its arguments what to do.
 */
#include "eventfds.h"

#include <sys/socket.h>

#define FDS_MAX 3

/* ---- passing ---- */

typedef union control {
    char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct cmsghdr aligned;
} control;

static struct msghdr message_of(struct iovec *text, control *space, size_t room)
{
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(space, 0, sizeof *space);
    message.msg_iov = text;
    message.msg_iovlen = 1;
    message.msg_control = space->bytes;
    message.msg_controllen = room;
    return message;
}

static void pass(int socket, const int *fds, size_t count)
{
    control space;
    char byte = 0;
    struct iovec text = {&byte, 1};
    struct msghdr message = message_of(&text, &space, CMSG_SPACE(count * sizeof *fds));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    CHECK(sendmsg(socket, &message, MSG_NOSIGNAL) == 1);
}

static void be_passed(int socket, int *fds, size_t count)
{
    control space;
    char byte;
    struct iovec text = {&byte, 1};
    struct msghdr message = message_of(&text, &space, sizeof space);
    CHECK(recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header != NULL && header->cmsg_type == SCM_RIGHTS && !(message.msg_flags & MSG_CTRUNC));
    CHECK(header->cmsg_len == CMSG_LEN(count * sizeof *fds));
    memcpy(fds, CMSG_DATA(header), count * sizeof *fds);
}

static int be_passed_one(int socket)
{
    int fd;
    be_passed(socket, &fd, 1);
    return fd;
}

static void tell(int socket)
{
    CHECK(send(socket, "", 1, MSG_NOSIGNAL) == 1);
}

static void be_told(int socket)
{
    char byte;
    CHECK(recv(socket, &byte, 1, MSG_WAITALL) == 1);
}

/* ---- strangers ---- */

typedef struct stranger {
    pid_t process;
    int socket;
} stranger;

static void become(const char *role, int fd)
{
    char program[4096], number[16];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    CHECK(length > 0);
    program[length] = 0;
    CHECK(fcntl(fd, F_SETFD, 0) == 0);
    snprintf(number, sizeof number, "%d", fd);
    execl(program, program, "stranger", role, number, (char *)NULL);
    CHECK(!"the program can be executed");
}

static stranger meet(const char *role)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    stranger met = {fork_child(), ends[0]};
    if (met.process == 0)
        become(role, ends[1]);
    close(ends[1]);
    return met;
}

static void part(const stranger *from)
{
    expect_ended_well(from->process);
    close(from->socket);
}

/* No memory of a channel and no eventfd came through the execution. */
static void expect_nothing_inherited(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], link[4096];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, link, sizeof link - 1);
        link[length > 0 ? length : 0] = 0;
        CHECK(!strstr(link, "memfd:") && !strstr(link, "[eventfd]") && !strstr(link, "shmrr-test"));
    }
}

static rr_client *client_of(int fd, uint32_t flags)
{
    rr_options options = RR_OPTIONS_INIT;
    rr_client *client = NULL;
    rr_error error;
    options.flags = flags;
    EXPECT(rr_client_from_fd(fd, &options, &client, &error), 0);
    CHECK(close(fd) == 0);
    return client;
}

static rr_server *server_of(int fd, uint32_t flags)
{
    rr_options options = RR_OPTIONS_INIT;
    rr_server *server = NULL;
    rr_error error;
    options.flags = flags;
    EXPECT(rr_server_from_fd(fd, &options, &server, &error), 0);
    CHECK(close(fd) == 0);
    return server;
}

static void ask_as_a_client(int fd)
{
    rr_client *client = client_of(fd, 0);
    request_text(client, "from a stranger", "from a stranger");
    rr_client_free(client);
}

static void ask_when_passed(int socket)
{
    ask_as_a_client(be_passed_one(socket));
}

static void serve_when_passed(int socket)
{
    rr_server *server = server_of(be_passed_one(socket), 0);
    serve_echo(server, 1);
    be_told(socket);
    rr_server_free(server);
}

static void go_on_alone(int socket)
{
    int fds[2];
    be_passed(socket, fds, 2);
    pair channel;
    channel.server = server_of(fds[0], 0);
    be_told(socket);
    channel.client = client_of(fds[1], 0);
    expect_works(&channel);
    close_pair(&channel);
}

static void ask_by_eventfds(int socket)
{
    int fds[3];
    be_passed(socket, fds, 3);
    rr_client *client = client_of(fds[0], RR_OPT_NOTIFY);
    rr_channel *channel = rr_client_channel(client);
    EXPECT(rr_channel_request_fd_set(channel, fds[1]), 0);
    EXPECT(rr_channel_reply_fd_set(channel, fds[2]), 0);
    CHECK(close(fds[1]) == 0 && close(fds[2]) == 0);
    uint64_t id = send_text(client, "signalled");
    until_ready(rr_channel_reply_fd_make(channel));
    EXPECT(rr_channel_consume_replies(channel), 1);
    EXPECT(rr_client_get(client, id, NULL, 0), 0);
    rr_client_free(client);
}

static void serve_by_eventfds(int socket)
{
    int fds[2];
    be_passed(socket, fds, 2);
    rr_server *server = server_of(fds[0], RR_OPT_NOTIFY);
    rr_channel *channel = rr_server_channel(server);
    EXPECT(rr_channel_reply_fd_set(channel, fds[1]), 0);
    CHECK(close(fds[1]) == 0);
    int requests = rr_channel_request_fd_make(channel);
    pass(socket, &requests, 1);
    until_ready(requests);
    EXPECT(rr_channel_consume_requests(channel), 1);
    EXPECT(rr_reply(server, take_text(server, "signalled"), NULL, 0), 0);
    be_told(socket);
    rr_server_free(server);
}

static const struct role {
    const char *name;
    void (*play)(int);
    int is_passed;
} ROLES[] = {
    {"asks", ask_when_passed, 1},
    {"serves", serve_when_passed, 1},
    {"goes on alone", go_on_alone, 1},
    {"asks by eventfds", ask_by_eventfds, 1},
    {"serves by eventfds", serve_by_eventfds, 1},
    {"asks by what it inherited", ask_as_a_client, 0},
};

static int play_stranger(const char *name, int fd)
{
    check_running(name);
    for (size_t k = 0; k < LENGTH(ROLES); k++)
        if (strcmp(ROLES[k].name, name) == 0) {
            if (ROLES[k].is_passed)
                expect_nothing_inherited();
            ROLES[k].play(fd);
            return 0;
        }
    return 1;
}

/* ---- channels that are passed ---- */

enum { MEMFD, ANONYMOUS, NAMED, KINDS };

static rr_server *new_channel(int kind, uint32_t flags)
{
    rr_server *server = NULL;
    rr_options options = with_slots(4);
    options.flags = flags;
    if (kind == MEMFD)
        EXPECT(rr_server_new_memfd("passed", &options, &server, NULL), 0);
    else
        EXPECT(rr_server_new(kind == NAMED ? new_name() : NULL, &options, &server, NULL), 0);
    return server;
}

static void a_passed_descriptor_opens_a_client(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        rr_server *server = new_channel(kind, 0);
        stranger client = meet("asks");
        int fd = rr_channel_fd(rr_server_channel(server));
        pass(client.socket, &fd, 1);
        serve_echo(server, 1);
        part(&client);
        rr_server_free(server);
    }
}

static void a_passed_descriptor_opens_a_server(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        pair channel = {new_channel(kind, 0), NULL};
        channel.client = another_client(&channel);
        stranger server = meet("serves");
        int fd = rr_channel_fd(rr_client_channel(channel.client));
        pass(server.socket, &fd, 1);
        request_text(channel.client, "to a stranger", "to a stranger");
        tell(server.socket);
        part(&server);
        close_pair(&channel);
    }
}

static void who_was_passed_a_channel_goes_on_without_the_passer(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        rr_server *server = new_channel(kind, 0);
        stranger heir = meet("goes on alone");
        int fd = rr_channel_fd(rr_server_channel(server)), fds[] = {fd, fd};
        pass(heir.socket, fds, LENGTH(fds));
        if (kind == NAMED)
            EXPECT(rr_channel_unlink(rr_server_channel(server)), 0);
        rr_server_free(server);
        tell(heir.socket);
        part(&heir);
    }
}

static void an_inherited_descriptor_opens_a_client(void)
{
    rr_server *server = new_channel(MEMFD, 0);
    pid_t child = fork_child();
    if (child == 0)
        become("asks by what it inherited", dup(rr_channel_fd(rr_server_channel(server))));
    serve_echo(server, 1);
    expect_ended_well(child);
    rr_server_free(server);
}

static void passed_eventfds_bring_a_clients_requests_and_its_replies(void)
{
    rr_server *server = new_channel(MEMFD, RR_OPT_NOTIFY);
    rr_channel *channel = rr_server_channel(server);
    stranger client = meet("asks by eventfds");
    int fds[] = {rr_channel_fd(channel), rr_channel_request_fd_make(channel), rr_channel_reply_fd_make(channel)};
    pass(client.socket, fds, LENGTH(fds));
    until_ready(fds[1]);
    EXPECT(rr_channel_consume_requests(channel), 1);
    EXPECT(rr_reply(server, take_text(server, "signalled"), NULL, 0), 0);
    part(&client);
    EXPECT(rr_channel_consume_requests(channel), 0);
    EXPECT(rr_channel_consume_replies(channel), 0);
    rr_server_free(server);
}

static void a_server_passes_its_eventfd_back_and_is_signalled(void)
{
    pair channel = {new_channel(MEMFD, 0), NULL};
    rr_options options = RR_OPTIONS_INIT;
    options.flags = RR_OPT_NOTIFY;
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    rr_channel *here = rr_client_channel(channel.client);
    stranger server = meet("serves by eventfds");
    int fds[] = {rr_channel_fd(here), rr_channel_reply_fd_make(here)};
    pass(server.socket, fds, LENGTH(fds));
    int requests = be_passed_one(server.socket);
    EXPECT(rr_channel_request_fd_set(here, requests), 0);
    CHECK(close(requests) == 0);
    uint64_t id = send_text(channel.client, "signalled");
    until_ready(rr_channel_reply_fd_make(here));
    EXPECT(rr_channel_consume_replies(here), 1);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), 0);
    EXPECT(rr_channel_consume_requests(here), 0);
    tell(server.socket);
    part(&server);
    close_pair(&channel);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "stranger") == 0)
        return play_stranger(argv[2], atoi(argv[3]));
    RUN(a_passed_descriptor_opens_a_client);
    RUN(a_passed_descriptor_opens_a_server);
    RUN(who_was_passed_a_channel_goes_on_without_the_passer);
    RUN(an_inherited_descriptor_opens_a_client);
    RUN(passed_eventfds_bring_a_clients_requests_and_its_replies);
    RUN(a_server_passes_its_eventfd_back_and_is_signalled);
    return 0;
}
